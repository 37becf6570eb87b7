import { Fault, type AttributeObject, type Target, type TargetAccount } from "../../connectors/contract.ts";
import { isGone } from "./bring-account.ts";
import { groupHash } from "./groups.ts";
import { isTaken, named, refuseHeld } from "./holder.ts";
import { eitherOf, type Intent } from "./intent.ts";
import { isOwn, type UnconfirmedOptions } from "./locate-account.ts";
import type { Delivered, Operation, Projection } from "./row.ts";

export interface BringGroupOptions extends UnconfirmedOptions {
  target: Target;
  /** Native ids that should be members, sorted. */
  wanted: readonly string[];
  intend: (intent: Intent) => Promise<void>;
}

/** Brings one group and the membership that we keep in it to what is desired; members that others put there stay. Throws Faults. */
export async function bringGroup(row: Projection, options: BringGroupOptions): Promise<Delivered> {
  switch (row.desiredState) {
    case "present":
      return present(row, options);
    case "disabled":
      return emptied(row, options);
    case "removed":
      return removed(row, options);
    case "absent":
      return {
        operation: undefined,
        nativeId: row.nativeId,
        state: row.deliveredState,
        attributes: row.delivered,
        hash: row.deliveredHash,
      };
  }
}

const NOTHING_THERE = { nativeId: null, state: "removed", attributes: null, hash: null } as const;

async function present(row: Projection, options: BringGroupOptions): Promise<Delivered> {
  const { target, wanted } = options;
  const attributes = row.desired ?? {};
  const there = {
    state: "present",
    attributes: { attributes, members: wanted },
    hash: groupHash(attributes, wanted).toString("hex"),
  } as const;
  const made = row.nativeId === null ? await findOrCreate(row, options) : undefined;
  const nativeId = row.nativeId ?? made?.nativeId;
  if (nativeId === undefined) throw new Fault("transient", "The group was not made.");
  const before = made ? { attributes, members: [], perhaps: [] } : deliveredGroup(row.delivered);
  const change = difference(before, wanted);
  let operation: Operation | undefined = made?.operation;
  if (change.add.length > 0 || change.remove.length > 0 || (!made && row.deliveredHash !== there.hash))
    await options.intend({ delivered: unconfirmed(before, { attributes, change }), nativeId, attempted: row.deliveredState !== "present" });
  try {
    if (!made && row.deliveredHash !== there.hash) {
      await named(() => target.update("group", nativeId, { before: before.attributes, after: attributes }), {
        own: nativeId,
        ...holding(row, options),
      });
      operation = "update";
    }
    if (change.add.length > 0 || change.remove.length > 0) {
      await target.members(nativeId, change);
      operation ??= "members";
      if (operation === "update") operation = "members";
    }
  } catch (error) {
    if (!isGone(error) || row.nativeId === null) throw error;
    return present({ ...row, nativeId: null, delivered: null, deliveredHash: null, deliveredState: "removed" }, options);
  }
  return { operation, nativeId, ...there };
}

async function findOrCreate(row: Projection, options: BringGroupOptions): Promise<{ operation: Operation; nativeId: string }> {
  const { target, intend } = options;
  const attributes = row.desired ?? {};
  const found = (await attempted(row, options)) ?? (await locate(row, options));
  if (found) return adopt(found, { row, options });
  // What is sent is kept: by it the group is found though it has another name when we ask.
  await intend({ attempted: true, delivered: { attributes, members: [] }, makes: true });
  try {
    return { operation: "create", nativeId: (await target.create("group", attributes)).nativeId };
  } catch (error) {
    const now = isTaken(error) ? await locate(row, options) : undefined;
    if (!now) throw error;
    return adopt(now, { row, options });
  }
}

async function adopt(
  found: TargetAccount,
  { row, options }: { row: Projection; options: BringGroupOptions },
): Promise<{ operation: Operation; nativeId: string }> {
  const { nativeId } = found;
  await refuseHeld(found, holding(row, options));
  // Which it is stands from now on; of what it is called we know nothing until it is confirmed.
  await options.intend({ attempted: true, nativeId, delivered: {} });
  await options.target.update("group", nativeId, { before: null, after: row.desired ?? {} });
  return { operation: "link", nativeId };
}

const holding = (row: Projection, options: BringGroupOptions) => ({
  kind: "group" as const,
  holderOf: options.holderOf,
  look: () => locate(row, options),
});

function locate({ desired, delivered }: Projection, { target }: Pick<BringGroupOptions, "target">): Promise<TargetAccount | undefined> {
  return called(desired ?? deliveredGroup(delivered).attributes ?? {}, target);
}

async function called({ displayName }: AttributeObject, target: Target): Promise<TargetAccount | undefined> {
  const found = await target.find("group", { displayName });
  if (found.length > 1)
    throw new Fault(
      "rejected",
      `${found.length} groups at the target are called ${String(displayName)} (${found.map(({ nativeId }) => nativeId).join(", ")}). Remove or rename the wrong one there, then retry.`,
    );
  return found[0];
}

async function emptied(row: Projection, options: BringGroupOptions): Promise<Delivered> {
  const nativeId = row.nativeId ?? (await attempted(row, options))?.nativeId;
  if (nativeId === undefined) return { operation: undefined, ...NOTHING_THERE };
  const before = deliveredGroup(row.delivered);
  const { attributes } = before;
  const change = difference(before, []);
  await options.intend({ delivered: unconfirmed(before, { attributes, change }), attempted: true });
  try {
    await options.target.members(nativeId, change);
  } catch (error) {
    if (!isGone(error)) throw error;
    return { operation: "members", ...NOTHING_THERE };
  }
  return { operation: "members", nativeId, state: "disabled", attributes: { attributes, members: [] }, hash: null };
}

async function removed(row: Projection, options: BringGroupOptions): Promise<Delivered> {
  const nativeId = row.nativeId ?? (await attempted(row, options))?.nativeId;
  if (nativeId === undefined) return { operation: undefined, ...NOTHING_THERE };
  try {
    await options.intend({ attempted: true });
    await options.target.remove("group", nativeId);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
  return { operation: "remove", ...NOTHING_THERE };
}

/** The group that a delivery made and did not live to tell of, by what was sent then, unless another group has its name since. */
async function attempted(row: Projection, options: BringGroupOptions): Promise<TargetAccount | undefined> {
  if (row.deliveredState !== "attempted") return undefined;
  const { desired } = row;
  const sent = deliveredGroup(row.delivered).attributes ?? desired ?? {};
  const found = await called(sent, options.target);
  const { displayName: name } = sent;
  return found && (await isOwn(found, { ...options, sent, desired, match: ["displayName"], name })) ? found : undefined;
}

interface DeliveredGroup {
  attributes: AttributeObject | null;
  members: readonly string[];
  /** Whom a call that was not confirmed put there, or took out. */
  perhaps: readonly string[];
}

/** A group's delivered state, as `present` stores it. Pure. */
export function deliveredGroup(delivered: AttributeObject | null): DeliveredGroup {
  const { attributes, members, perhaps } = (delivered ?? {}) as Partial<DeliveredGroup>;
  return { attributes: attributes ?? null, members: members ?? [], perhaps: perhaps ?? [] };
}

interface MemberChange {
  add: string[];
  remove: string[];
}

/** What may stand there while a change is under way: certain are those alone whom it leaves alone. */
function unconfirmed(
  before: DeliveredGroup,
  { attributes, change }: { attributes: AttributeObject | null; change: MemberChange },
): AttributeObject {
  const goes = new Set(change.remove);
  return {
    attributes: eitherOf(before.attributes ?? {}, attributes ?? {}),
    members: before.members.filter((id) => !goes.has(id)),
    perhaps: [...new Set([...before.perhaps, ...change.add, ...change.remove])],
  };
}

function difference({ members, perhaps }: DeliveredGroup, after: readonly string[]): MemberChange {
  const held = new Set(members);
  const wanted = new Set(after);
  return {
    add: after.filter((id) => !held.has(id)),
    remove: [...new Set([...members, ...perhaps])].filter((id) => !wanted.has(id)),
  };
}
