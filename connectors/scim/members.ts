import { Fault, type AttributeObject } from "../contract.ts";
import { isObject, type ScimClient } from "./client.ts";

export interface MemberChange {
  groupId: string;
  add: readonly string[];
  remove: readonly string[];
  batch: number;
  /** Read the group first and send only what is not so yet. */
  compare: boolean;
}

/** Adds and removes members in batches; whoever is in or out already is left alone. */
export async function changeMembers(client: ScimClient, { groupId, add, remove, batch, compare }: MemberChange): Promise<void> {
  if (add.length === 0 && remove.length === 0) return;
  const { patch } = await client.abilities();
  if (!patch) return putMembers(client, { groupId, add, remove });
  let missing = [...add];
  let surplus = [...remove];
  if (compare) {
    const held = memberIds(await readGroup(client, groupId));
    missing = missing.filter((id) => !held.has(id));
    surplus = surplus.filter((id) => held.has(id));
  }
  for (const ids of inBatches(missing, batch))
    await client.patch("group", groupId, [{ op: "add", path: "members", value: ids.map((value) => ({ value })) }]);
  for (const ids of inBatches(surplus, batch)) {
    await client.patch(
      "group",
      groupId,
      ids.map((id) => ({ op: "remove", path: `members[value eq ${JSON.stringify(id)}]` })),
    );
  }
}

async function putMembers(client: ScimClient, { groupId, add, remove }: Pick<MemberChange, "groupId" | "add" | "remove">): Promise<void> {
  const group = await readGroup(client, groupId);
  const held = memberIds(group);
  const wanted = new Set([...held, ...add]);
  for (const id of remove) wanted.delete(id);
  if (wanted.size === held.size && [...wanted].every((id) => held.has(id))) return;
  const { meta: _meta, ...resource } = group;
  await client.put("group", groupId, { ...resource, members: [...wanted].map((value) => ({ value })) });
}

async function readGroup(client: ScimClient, groupId: string): Promise<AttributeObject> {
  const group = await client.get("group", groupId);
  if (!group) throw new Fault("gone", `The SCIM application has no group ${groupId} any more.`);
  return group;
}

function memberIds({ members }: AttributeObject): Set<string> {
  return new Set(
    Array.isArray(members)
      ? members.flatMap((member) => (isObject(member) && typeof member["value"] === "string" ? [member["value"]] : []))
      : [],
  );
}

function* inBatches(ids: readonly string[], size: number): Generator<readonly string[]> {
  for (let start = 0; start < ids.length; start += size) yield ids.slice(start, start + size);
}
