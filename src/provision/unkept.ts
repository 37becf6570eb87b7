import { Fault, type AttributeObject, type Target, type TargetAccount } from "../../connectors/contract.ts";
import type { Context } from "../context.ts";
import type { Database } from "../db/database.ts";
import { asItStands, driftedAttributes } from "./drift.ts";
import { withLock } from "./lock.ts";

/** Accounts for which an attribute must stay as it was, and none for which it changes, before the application is taken not to keep it. */
const PROOFS = 3;

export interface Differing {
  row: { id: number; native_id: string; delivered: AttributeObject | null };
  account: TargetAccount;
}

/** What turned out in one reconciliation about attributes that an application keeps in its own way, or not at all. */
export interface Unkept {
  /** Whether sending again what was delivered would change nothing: it was tried, with this account or with enough others. */
  isFutile(differing: Differing): Promise<boolean>;
  /** Attributes that it does not keep as they are sent. */
  names(): string[];
}

/**
 * Some applications write telephone numbers their own way, put names into small letters, or drop what they do not know: that is no drift,
 * and everybody would be sent again at each reconciliation, with what somebody really changed lost in between. It is found out by
 * sending, with some: what stands as it was afterwards is the application's own.
 */
export function proveUnkept(ctx: Context, { db, target }: { db: Database; target: Target }): Unkept {
  const failures = new Map<string, number>();
  const kept = new Set<string>();
  const isUnkept = (name: string) => !kept.has(name) && (failures.get(name) ?? 0) >= PROOFS;

  /** The attributes that differ still; undefined when it could not be tried. */
  async function triedAgain({ row, account }: Differing): Promise<readonly string[] | undefined> {
    const after = row.delivered ?? {};
    try {
      const tried = await withLock(ctx, {
        db,
        name: `deliver:${row.id}`,
        work: async ({ sql }) => {
          const { rowCount } = await sql.query(
            "select from projections where id = $1 and native_id = $2 and state = 'idle' and dirty_at is null and delivered = $3",
            [row.id, row.native_id, JSON.stringify(after)],
          );
          if (rowCount === 0) return undefined;
          await target.update("user", row.native_id, { before: asItStands(account, after), after });
          const now = await target.get("user", row.native_id);
          return now === "gone" ? undefined : driftedAttributes(now, { delivered: after, active: true });
        },
      });
      return tried === "busy" ? undefined : tried;
    } catch (error) {
      // The delivery meets it again, and says so.
      if (error instanceof Fault) return undefined;
      throw error;
    }
  }

  return {
    async isFutile(differing) {
      const names = driftedAttributes(differing.account, { delivered: differing.row.delivered, active: true });
      if (names.every(isUnkept)) return true;
      // What is known to be kept was changed by somebody.
      if (names.some((name) => kept.has(name))) return false;
      const still = await triedAgain(differing);
      if (!still) return false;
      for (const name of names) {
        if (still.includes(name)) failures.set(name, (failures.get(name) ?? 0) + 1);
        else kept.add(name);
      }
      return names.every((name) => still.includes(name));
    },
    names: () => [...failures.keys()].filter(isUnkept).sort(),
  };
}
