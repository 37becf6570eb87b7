import { Fault, type AttributeObject, type Target, type TargetAccount } from "../../connectors/contract.ts";
import type { Provision } from "../connections/definition.ts";
import { isTaken, named, refuseHeld } from "./holder.ts";
import { eitherOf, type Intent } from "./intent.ts";
import { locate, locateAttempted, locateMoved, type UnconfirmedOptions } from "./locate-account.ts";
import type { Delivered, Operation, Projection } from "./row.ts";

export interface BringOptions extends UnconfirmedOptions {
  target: Target;
  match: Provision["match"];
  /** Records, committed, what the next call may do: neither a lost answer nor a crash after it must leave what nobody knows. */
  intend: (intent: Intent) => Promise<void>;
  /** Whether another target that writes the same application keeps this account for the same person. */
  keptElsewhere: (nativeId: string) => Promise<boolean>;
}

/**
 * Brings one person's account to its desired state and says what stands there then. Every step is safe to repeat, so that
 * a delivery that died half-way ends the same when it is tried again. Throws Faults.
 */
export async function bringAccount(row: Projection, options: BringOptions): Promise<Delivered> {
  switch (row.desiredState) {
    case "present":
      return present(row, options);
    case "disabled":
      return disabled(row, options);
    case "removed":
      return removed(row, options);
    case "absent":
      return { operation: undefined, ...standing(row) };
  }
}

function standing({ nativeId, deliveredState, delivered, deliveredHash }: Projection): Omit<Delivered, "operation"> {
  return { nativeId, state: deliveredState, attributes: delivered, hash: deliveredHash };
}

const NOTHING_THERE = { nativeId: null, state: "removed", attributes: null, hash: null } as const;

async function present(row: Projection, options: BringOptions): Promise<Delivered> {
  const { desired } = row;
  // Erased since it was decided: it is marked, and decided anew.
  if (desired === null) return { operation: undefined, ...standing(row) };
  const there = { state: "present", attributes: desired, hash: row.desiredHash } as const;
  if (row.nativeId === null) {
    const look = () => locate(desired, options);
    const found = (await locateAttempted(row, options)) ?? (await look());
    if (found) return { operation: await adopt(found, { desired, options, look }), nativeId: found.nativeId, ...there };
    return { ...(await create(row, options)), ...there };
  }
  let operation: Operation | undefined;
  try {
    if (row.deliveredHash !== row.desiredHash) {
      await options.intend({ delivered: eitherOf(row.delivered ?? {}, desired) });
      const { nativeId, delivered: before } = row;
      const update = () =>
        named(() => options.target.update("user", nativeId, { before, after: desired }), {
          own: nativeId,
          kind: "user",
          holderOf: options.holderOf,
          look: () => inTheWay(desired, { ...options, own: nativeId }),
        });
      await changed(nativeId, { ...options, update, isActive: row.deliveredState === "present" });
      operation = "update";
    }
    if (row.deliveredState !== "present") {
      await options.intend({ attempted: true });
      await options.target.enable(row.nativeId);
      operation = "enable";
    }
  } catch (error) {
    if (!isGone(error)) throw error;
    const look = () => locateMoved(row, options);
    const moved = await look();
    if (moved) return { operation: await adopt(moved, { desired, options, look }), nativeId: moved.nativeId, ...there };
    // It is still wanted: made anew.
    return present({ ...row, nativeId: null, delivered: null, deliveredHash: null, deliveredState: "removed" }, options);
  }
  return { operation, nativeId: row.nativeId, ...there };
}

interface ChangedOptions extends BringOptions {
  update: () => Promise<void>;
  isActive: boolean;
}

/** Some applications take no change of an account that is not active: whoever comes back is let in first, and would stay out otherwise. */
async function changed(nativeId: string, { update, isActive, target, intend }: ChangedOptions): Promise<void> {
  try {
    await update();
  } catch (error) {
    if (isActive || !(error instanceof Fault) || error.kind !== "rejected") throw error;
    await intend({ attempted: true });
    await target.enable(nativeId);
    await update();
  }
}

async function create(row: Projection, options: BringOptions): Promise<{ operation: Operation; nativeId: string }> {
  const desired = row.desired ?? {};
  // What is sent is kept: by it the account is found though the person has another name when we ask.
  await options.intend({ attempted: true, delivered: desired, makes: true });
  try {
    return await make(desired, options);
  } catch (error) {
    if (!isTaken(error)) throw error;
    const look = async () =>
      (await locate(desired, { ...options, match: identifying(options) })) ??
      (await locate(desired, { ...options, match: [...options.match, "userName"], thorough: true }));
    const found = await look();
    if (found) return { operation: await adopt(found, { desired, options, look }), nativeId: found.nativeId };
  }
  try {
    // Whoever had the name may have given it up before we looked.
    return await make(desired, options);
  } catch (error) {
    if (!isTaken(error)) throw error;
    throw new Fault(
      "rejected",
      `The target says that this account exists, but shows none like it to us: perhaps one that was deleted there is kept out of sight. Have it restored there, or removed for good, then retry. ${error.message}`,
      { cause: error },
    );
  }
}

async function make(desired: AttributeObject, { target, holderOf }: BringOptions): Promise<{ operation: Operation; nativeId: string }> {
  const { nativeId } = await target.create("user", { ...desired, active: true });
  // Some make nobody anew who has had the name before, and do not show them when they are asked: two people would have one account.
  if (await holderOf(nativeId))
    throw new Fault(
      "rejected",
      `The target answered with the account ${nativeId} when this person's was made, which belongs to another person already. Settle which of the two it is, then retry.`,
    );
  return { operation: "create", nativeId };
}

interface AdoptOptions {
  desired: AttributeObject;
  options: BringOptions;
  /** How it was found. */
  look: () => Promise<TargetAccount | undefined>;
}

async function adopt(found: TargetAccount, { desired, options, look }: AdoptOptions): Promise<Operation> {
  const { target, intend, holderOf } = options;
  await refuseHeld(found, { kind: "user", holderOf, look });
  // Whose it is stands from now on; of what it holds we know nothing until it is confirmed.
  await intend({ attempted: true, nativeId: found.nativeId, delivered: {} });
  const update = () => target.update("user", found.nativeId, { before: null, after: desired });
  await changed(found.nativeId, { ...options, update, isActive: found.active === true });
  if (found.active !== true) await target.enable(found.nativeId);
  return "link";
}

/** By what applications may tell two accounts apart. */
const identifying = ({ match }: Pick<BringOptions, "match">) => [...new Set([...match, "userName", "externalId", "emails"] as const)];

/** Another account that has what somebody is to have. */
async function inTheWay(
  desired: AttributeObject,
  { target, own, match }: Pick<BringOptions, "target" | "match"> & { own: string },
): Promise<TargetAccount | undefined> {
  for (const attribute of identifying({ match })) {
    const value = desired[attribute];
    if (value === undefined || value === null || value === "") continue;
    const found = await target.find("user", { [attribute]: value }, { thorough: false });
    const other = found.find(({ nativeId }) => nativeId !== own);
    if (other) return other;
  }
  return undefined;
}

async function disabled(row: Projection, options: BringOptions): Promise<Delivered> {
  const disable = (nativeId: string) => orGone(() => options.target.disable(nativeId));
  const nativeId = await endedAt(row, { ...options, end: disable });
  if (nativeId === undefined) return { operation: undefined, ...NOTHING_THERE };
  if (nativeId === null) return { operation: "disable", ...NOTHING_THERE };
  return { operation: "disable", nativeId, state: "disabled", attributes: row.delivered, hash: row.deliveredHash };
}

async function removed(row: Projection, options: BringOptions): Promise<Delivered> {
  const { target } = options;
  const nativeId = await endedAt(row, {
    ...options,
    async end(id) {
      try {
        return await target.remove("user", id);
      } catch (error) {
        if (row.deliveredState !== "disabled") await disabledAtLeast(id, { target, error });
        throw error;
      }
    },
  });
  return { operation: nativeId === undefined ? undefined : "remove", ...NOTHING_THERE };
}

/** Who is to be removed without having been disabled before, and can't be, must not go on as if nothing had happened. */
async function disabledAtLeast(nativeId: string, { target, error }: { target: Target; error: unknown }): Promise<void> {
  // These would be answered no better.
  if (!(error instanceof Fault) || error.kind === "throttled" || error.kind === "denied") return;
  try {
    await target.disable(nativeId);
  } catch (refusal) {
    // Why they could not be removed is what is told.
    if (!(refusal instanceof Fault)) throw refusal;
  }
}

type Ending = (nativeId: string) => Promise<unknown>;

async function orGone(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    if (!isGone(error)) throw error;
    return "gone";
  }
}

/**
 * Ends an account, under the id that it has by now where the known one is gone. Returns that id; null where there is none any more,
 * undefined where nothing was to be asked for.
 */
async function endedAt(row: Projection, { end, ...options }: BringOptions & { end: Ending }): Promise<string | null | undefined> {
  const nativeId = row.nativeId ?? (await locateAttempted(row, options))?.nativeId;
  if (nativeId === undefined || (await options.keptElsewhere(nativeId))) return undefined;
  await options.intend({ attempted: true });
  if ((await end(nativeId)) !== "gone") return nativeId;
  const moved = await locateMoved({ ...row, nativeId }, options);
  if (!moved || (await options.keptElsewhere(moved.nativeId))) return null;
  await options.intend({ attempted: true, nativeId: moved.nativeId });
  return (await end(moved.nativeId)) === "gone" ? null : moved.nativeId;
}

export function isGone(error: unknown): boolean {
  return error instanceof Fault && error.kind === "gone";
}
