import { Fault, type AttributeObject } from "../contract.ts";
import { comparable } from "../kit/comparable-id.ts";
import { withRetry } from "../kit/retry.ts";
import type { ScimClient, Taken } from "./client.ts";
import type { ScimSettings } from "./config.ts";
import { isMember } from "./hidden-members.ts";
import { isObject } from "./json.ts";
import { refusalOrThrow, refusedMembers, type RefusedMembers } from "./refused-members.ts";
import { read, replaceResource } from "./replace.ts";

export interface MemberChange {
  groupId: string;
  add: readonly string[];
  remove: readonly string[];
  settings: Pick<ScimSettings, "memberBatch" | "memberRemoval" | "compareMembers" | "groupPatch">;
  signal: AbortSignal;
}

/**
 * Adds and removes members in batches; whoever is in or out already is left alone. Many applications refuse a change whole because of one
 * whom they don't know any more: everybody else comes and goes all the same. Throws `rejected` for who is left, and, with nothing put in
 * its place, where the application neither shows members nor answers whether somebody is one.
 */
export async function changeMembers(client: ScimClient, change: MemberChange): Promise<void> {
  const { groupId, add, remove, settings } = change;
  if (add.length === 0 && remove.length === 0) return;
  const { groupPatch } = await client.abilities();
  if (!(client.learned.groupPatch ?? groupPatch)) return putMembers(client, change);
  const held = settings.compareMembers && client.learned.showsMembers !== false ? await heldBy(client, groupId) : undefined;
  // Who shows nobody may only not tell: whom to take out is sent all the same.
  const isUnsure = held?.size === 0 && client.learned.showsMembers === undefined;
  const missing = held ? add.filter((id) => !held.has(comparable(id))) : add;
  const surplus = held && !isUnsure ? remove.filter((id) => held.has(comparable(id))) : remove;
  if (missing.length === 0 && surplus.length === 0) return;
  const [leaving, joining] = [refusedMembers(groupId), refusedMembers(groupId)];
  const offered =
    (await sendAll(client, { ...change, ids: surplus, adds: false, mayBeOut: isUnsure || held === undefined, refused: leaving })) &&
    (await sendAll(client, { ...change, ids: missing, adds: true, refused: joining }));
  const taken = { add: add.filter((id) => !joining.has(id)), remove: remove.filter((id) => !leaving.has(id)) };
  if (offered && (await tookEffect(client, { ...change, ...taken }))) {
    leaving.tell();
    return joining.tell();
  }
  client.learned.groupPatch = false;
  await putMembers(client, change);
}

interface Sending extends MemberChange {
  ids: readonly string[];
  adds: boolean;
  refused: RefusedMembers;
  /** Who is to be taken out may be no member: then nothing matches, and that is well. */
  mayBeOut?: boolean;
}

/** To be asked by what is `comparable`. */
async function heldBy(client: ScimClient, groupId: string): Promise<Set<string>> {
  const held = new Set([...memberIds(await read(client, "group", groupId))].map(comparable));
  if (held.size > 0) client.learned.showsMembers = true;
  return held;
}

/** False when the application does not change groups by PATCH. */
async function sendAll(client: ScimClient, sending: Sending): Promise<boolean> {
  const { ids, settings, refused } = sending;
  let most = settings.memberBatch;
  for (let start = 0; start < ids.length;) {
    const size = Math.min(most, client.learned.memberBatch ?? most);
    const batch = ids.slice(start, start + size);
    const taken = await sendBatch(client, { ...sending, ids: batch }).catch(refusalOrThrow);
    if (taken === "not offered") return false;
    if (taken === "taken") {
      start += batch.length;
      most = Math.min(settings.memberBatch, most * 2);
      refused.taken();
    } else if (taken === "too large" && batch.length > 1) client.learned.memberBatch = Math.ceil(batch.length / 2);
    else if (taken === "no target" && sending.mayBeOut && batch.length > 1)
      // One of them is out already, and the others were not taken out because of it.
      most = Math.ceil(batch.length / 2);
    else if (taken === "no target" && sending.mayBeOut && !(await isStillIn(client, { ...sending, ids: batch }))) start += 1;
    else if (mayBeForm(taken, { client, sending })) client.learned.removalByList = true;
    else if (taken === "no such form") throw refusedWith(taken, sending);
    else if (batch.length > 1) most = Math.ceil(batch.length / 2);
    else {
      for (const id of batch) refused.note(id, taken instanceof Fault ? taken : refusedWith(taken, sending));
      start += batch.length;
    }
  }
  return true;
}

function refusedWith(taken: Taken, { groupId }: Pick<Sending, "groupId">): Fault {
  return new Fault("rejected", `The SCIM application refuses a change of members of the group ${groupId}: ${taken}.`);
}

/** Of one that nothing matched: whether the application says all the same that they are a member. */
async function isStillIn(client: ScimClient, { groupId, ids }: Pick<Sending, "groupId" | "ids">): Promise<boolean> {
  const [memberId] = ids;
  return memberId !== undefined && (await isMember(client, { groupId, memberId })) === true;
}

/**
 * Whether a removal may have been refused because it was told by value paths, and not yet by a list. Tried for nothing else: by the
 * letter of RFC 7644 section 3.5.2.2 the list means nothing, and everybody goes.
 */
function mayBeForm(taken: Taken | Fault, { client, sending: { adds, settings } }: { client: ScimClient; sending: Sending }): boolean {
  const isOpen = !adds && settings.memberRemoval === "auto" && !client.learned.removalByList;
  return isOpen && (taken === "no such form" || taken === "no target");
}

/** Waits where it is asked to; a batch whose answer got lost is not sent twice, since some applications would store it twice. */
function sendBatch(client: ScimClient, { groupId, ids, adds, settings, signal }: Sending): Promise<Taken> {
  const byList = settings.memberRemoval === "list" || client.learned.removalByList === true;
  const value = ids.map((id) => ({ value: id }));
  const operations = adds
    ? [{ op: "add", path: "members", value }]
    : byList
      ? [{ op: "remove", path: "members", value }]
      : ids.map((id) => ({ op: "remove", path: `members[value eq ${JSON.stringify(id)}]` }));
  return withRetry(() => client.tryPatch("group", groupId, operations), {
    signal,
    kinds: ["throttled"],
    attempts: 3,
    longestRetryAfterMs: LONGEST_WAIT_MS,
  });
}

/** Longer waits are the queue's business. */
const LONGEST_WAIT_MS = 10_000;

/** Some applications answer well and do nothing: the first change is looked at. */
async function tookEffect(client: ScimClient, { groupId, add, remove, settings }: MemberChange): Promise<boolean> {
  if (settings.groupPatch !== "auto" || !settings.compareMembers || client.learned.groupPatch !== undefined) return true;
  if (add.length === 0 && remove.length === 0) return true;
  const held = await heldBy(client, groupId);
  const [added] = add;
  const isHidden = held.size === 0 && client.learned.showsMembers !== true;
  // That nobody is shown proves nothing of a removal.
  if (isHidden && added === undefined) return true;
  const so = isHidden && added !== undefined ? await isIn(client, { groupId, memberId: added }) : isSo(held, { add, remove });
  if (so) client.learned.groupPatch = true;
  if (so && isHidden) client.learned.showsMembers = false;
  return so;
}

function isSo(held: ReadonlySet<string>, { add, remove }: Pick<MemberChange, "add" | "remove">): boolean {
  return add.every((id) => held.has(comparable(id))) && !remove.some((id) => held.has(comparable(id)));
}

/** A PUT of what is shown would throw out everybody who is not: without an answer, nothing is put. */
async function isIn(client: ScimClient, asked: { groupId: string; memberId: string }): Promise<boolean> {
  const so = await isMember(client, asked);
  if (so === undefined)
    throw new Fault(
      "rejected",
      `The SCIM application took a change of members of the group ${asked.groupId} and shows nobody in it. Set compareMembers to false if it never shows members, or groupPatch to put if it does not take PATCH.`,
    );
  return so;
}

/** The whole list, changed; where that is refused, first without whoever is to leave, then with those who join, some at a time. */
async function putMembers(client: ScimClient, change: MemberChange): Promise<void> {
  const { groupId, add, remove } = change;
  try {
    return await putOnce(client, change);
  } catch (error) {
    const refusal = refusalOrThrow(error);
    if (add.length === 0 || add.length + remove.length === 1) throw refusal;
    if (remove.length > 0) await putOnce(client, { groupId, add: [], remove });
    if (add.length === 1) throw refusal;
  }
  const refused = refusedMembers(groupId);
  for (let start = 0, size = Math.ceil(add.length / 2); start < add.length;) {
    const some = add.slice(start, start + size);
    const refusal = await putOnce(client, { groupId, add: some, remove: [] }).catch(refusalOrThrow);
    if (refusal && some.length > 1) {
      size = Math.ceil(some.length / 2);
      continue;
    }
    if (refusal) for (const id of some) refused.note(id, refusal);
    else {
      refused.taken();
      size *= 2;
    }
    start += some.length;
  }
  refused.tell();
}

function putOnce(client: ScimClient, { groupId, add, remove }: Pick<MemberChange, "groupId" | "add" | "remove">): Promise<void> {
  const leaving = new Set(remove.map(comparable));
  return replaceResource(client, {
    kind: "group",
    id: groupId,
    change(group) {
      const shown = [...memberIds(group)];
      const held = new Set(shown.map(comparable));
      const joining = add.filter((id) => !held.has(comparable(id)));
      const staying = shown.filter((id) => !leaving.has(comparable(id)));
      if (joining.length === 0 && staying.length === shown.length) return undefined;
      return { ...group, members: [...new Set([...staying, ...joining])].map((value) => ({ value })) };
    },
  });
}

/** Whom a group as it was answered names; a group without anybody may come without the attribute. */
export function memberIds({ members }: AttributeObject): Set<string> {
  return new Set(
    Array.isArray(members)
      ? members.flatMap((member) => {
          const id = isObject(member) ? member["value"] : undefined;
          return typeof id === "string" || typeof id === "number" ? [String(id)] : [];
        })
      : [],
  );
}
