import type { Context } from "../context.ts";
import { inTransaction, type Database } from "../db/database.ts";

/**
 * A first sync fills tables that the planner believes to be empty, and its plans for empty tables take minutes where
 * seconds would do; waiting for autovacuum would be waiting too long.
 */
export function statisticsKeeper(
  ctx: Context,
  { db, worthwhile }: { db: Database; worthwhile: boolean },
): { ofPlan(): Promise<void>; ofDirectory(): Promise<void>; due(done: number): boolean } {
  let next = 1000;
  const analyse = (what: string) =>
    worthwhile
      ? // A tenth of the usual sample: enough to tell empty from full.
        inTransaction(db, ctx, async ({ sql }) => {
          await sql.query("set local default_statistics_target = 10");
          await sql.query(`analyze ${what}`);
        })
      : Promise.resolve();
  return {
    ofPlan: () => analyse("plan_items (plan_id, seq, kind, native_id, action, account_id, subject_id, reference)"),
    ofDirectory: () =>
      analyse(
        `accounts (id, connection_id, kind, native_id, reference, mapping_version, situation, person_id, group_id), people (id, user_name, email, manager_id), pending_references,
         person_units (person_id, unit_id, connection_id, recorded_to, valid_to), memberships (group_id, person_id, account_id, connection_id, recorded_to, valid_to)`,
      ),
    due(done) {
      if (done < next) return false;
      next *= 20;
      return true;
    },
  };
}

/** Whether this plan makes so many accounts that what the planner knows of the tables no longer holds. */
export async function fillsTables(db: Database, planId: number): Promise<boolean> {
  const { rows } = await db.pool.query<{ fills: boolean }>(
    `select count(*) >= greatest(1000, 0.2 * (select reltuples from pg_class where oid = 'accounts'::regclass)) as fills from plan_items where plan_id = $1 and action = 'create'`,
    [planId],
  );
  return rows[0]?.fills ?? false;
}
