import type { Context } from "../context.ts";
import type { Database } from "../db/database.ts";

/** How long a finished plan can be shown item by item. Its counts, its run and the audit trail stay. */
const KEPT_DAYS = 30;
const DAY_MS = 86_400_000;
/** Rows that one statement deletes, so that nobody waits long for its locks. */
const AT_ONCE = 10_000;

const DETAILS = ["plan_items", "plan_members", "plan_batches", "plan_outcomes"] as const;

/** Deletes the details of plans that ended more than 30 days ago, and what runs that ended have seen. Returns how many rows went. */
export async function pruneRuns(ctx: Context, db: Database): Promise<number> {
  const before = new Date(ctx.now().getTime() - KEPT_DAYS * DAY_MS);
  let deleted = 0;
  for (const table of DETAILS) {
    deleted += await inPortions(
      ctx,
      async () =>
        (
          await db.pool.query(
            `delete from ${table} where ctid = any(array(
               select d.ctid from ${table} d join plans p on p.id = d.plan_id
                where p.state in ('applied', 'rejected', 'superseded') and coalesce(p.applied_at, p.decided_at, p.closed_at, p.opened_at) < $1 limit $2))`,
            [before, AT_ONCE],
          )
        ).rowCount ?? 0,
    );
  }
  await db.pool.query(
    `update plans set passed_on = null where passed_on is not null and state in ('applied', 'rejected', 'superseded')
       and coalesce(applied_at, decided_at, closed_at, opened_at) < $1`,
    [before],
  );
  deleted += await inPortions(
    ctx,
    async () =>
      (
        await db.pool.query(
          `delete from run_seen where ctid = any(array(
             select s.ctid from run_seen s join runs r on r.id = s.run_id where r.finished_at < $1 and r.state not in ('pulling', 'planned', 'held', 'applying') limit $2))`,
          [new Date(ctx.now().getTime() - DAY_MS), AT_ONCE],
        )
      ).rowCount ?? 0,
  );
  deleted += await inPortions(
    ctx,
    async () =>
      (
        await db.pool.query(
          `delete from run_events where ctid = any(array(
             select e.ctid from run_events e join runs r on r.id = e.run_id where r.finished_at < $1 and r.state <> 'held' limit $2))`,
          [new Date(ctx.now().getTime() - DAY_MS), AT_ONCE],
        )
      ).rowCount ?? 0,
  );
  return deleted;
}

async function inPortions(ctx: Context, portion: () => Promise<number>): Promise<number> {
  for (let total = 0; ;) {
    ctx.signal.throwIfAborted();
    const count = await portion();
    total += count;
    if (count < AT_ONCE) return total;
  }
}
