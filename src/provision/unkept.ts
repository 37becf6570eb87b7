import { Fault, type AttributeObject, type Target, type TargetAccount } from "../../connectors/contract.ts";
import { driftedAttributes } from "./drift.ts";

/** Accounts for which an attribute must stay as it was, and none for which it changes, before the application is taken not to keep it. */
const PROOFS = 3;

export interface Differing<Row = { native_id: string; delivered: AttributeObject | null }> {
  row: Row;
  account: TargetAccount;
}

/** `drift`: to be sent again; `own`: the application's own way, sending would change nothing; `sent`: it was drift, and has been sent again. */
export type Verdict = "drift" | "own" | "sent";

/** What turned out in one reconciliation about attributes that an application keeps in its own way, or not at all. */
export interface Unkept<Pair extends Differing> {
  judge(differing: Pair): Promise<Verdict>;
  /** Attributes that it does not keep as they are sent. */
  names(): string[];
}

export interface UnkeptOptions<Pair extends Differing> {
  target: Target;
  /** Sends it again the ordinary way, recorded as any repair; whether that is through. */
  sendAgain(differing: Pair): Promise<boolean>;
}

/**
 * Some applications write telephone numbers their own way, put names into small letters, or drop what they do not know: that is no drift,
 * and everybody would be sent again at each reconciliation, with what somebody really changed lost in between. It is found out by
 * sending, with some: what stands as it was afterwards is the application's own.
 */
export function proveUnkept<Pair extends Differing>({ target, sendAgain }: UnkeptOptions<Pair>): Unkept<Pair> {
  const failures = new Map<string, number>();
  const kept = new Set<string>();
  const isUnkept = (name: string) => !kept.has(name) && (failures.get(name) ?? 0) >= PROOFS;

  return {
    async judge(differing) {
      const { row, account } = differing;
      const meant = { delivered: row.delivered, active: true };
      const names = driftedAttributes(account, meant);
      if (names.every(isUnkept)) return "own";
      // What is known to be kept was changed by somebody.
      if (names.some((name) => kept.has(name))) return "drift";
      if (!(await sendAgain(differing))) return "sent";
      const now = await asItIs(target, row.native_id);
      if (now === undefined) return "sent";
      const still = driftedAttributes(now, meant);
      for (const name of names) {
        if (still.includes(name)) failures.set(name, (failures.get(name) ?? 0) + 1);
        else kept.add(name);
      }
      return names.every((name) => still.includes(name)) ? "own" : "sent";
    },
    names: () => [...failures.keys()].filter(isUnkept).sort(),
  };
}

/** Undefined where it can't be told: what is wrong there, a delivery or the next reconciliation meets again, and says so. */
async function asItIs(target: Target, nativeId: string): Promise<TargetAccount | undefined> {
  try {
    const account = await target.get("user", nativeId);
    return account === "gone" ? undefined : account;
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}
