import { Fault, type Kind, type Target, type TargetAccount } from "../../connectors/contract.ts";
import type { Context } from "../context.ts";

/** More than these in one pass are no single account's affair. */
const MOST = 5;
/** What the application says of everybody, not of this one. */
const OF_EVERYBODY: ReadonlySet<string> = new Set(["throttled", "denied", "misconfigured"]);

export type LookUp = (nativeId: string) => Promise<TargetAccount | "gone" | undefined>;

/**
 * Asks for accounts, or groups, one by one. Undefined where the application has no answer for this one: it is neither there nor gone, and
 * the others' turn comes all the same. Throws Faults that are about everybody, and those of too many.
 */
export function lookingUp(ctx: Context, { target, kind, connection }: { target: Target; kind: Kind; connection: string }): LookUp {
  let failures = 0;
  return async (nativeId) => {
    try {
      return await target.get(kind, nativeId);
    } catch (error) {
      if (!(error instanceof Fault) || OF_EVERYBODY.has(error.kind) || ++failures > MOST) throw error;
      ctx.log.warn({ connection, kind, nativeId, fault: error.kind }, `could not be looked up, and is left as it is: ${error.message}`);
      return undefined;
    }
  };
}
