import type { Sql } from "../db/database.ts";

/**
 * A plan that was approved while a newer run was reading is applied after that run. What the run read of an account, and decides otherwise
 * about or not at all, is newer than the plan: such items are refused, and wait for the next plan. A run that reads changes only lists
 * the others by their ids, which shows that they are there, and nothing more. Which run is newer is told by its plan, opened as it began:
 * its own number is from when it was asked for. Runs that ended before the approval left the plan held; clocks of two nodes differ.
 */
export async function refuseReadSince(sql: Sql, { planId, connectionId }: { planId: number; connectionId: number }): Promise<void> {
  const { rows: newer } = await sql.query<{ id: number; mode: string; planId: number }>(
    `select r.id, r.mode, n.id as "planId" from plans p join plans n on n.connection_id = $2 and n.id > p.id join runs r on r.id = n.run_id
      where p.id = $1 and r.mode <> 'remap' and r.trigger <> 'replay'
        and (r.finished_at is null or p.decided_at is null or r.finished_at > p.decided_at - interval '1 hour')`,
    [planId, connectionId],
  );
  for (const run of newer) await sql.query(REFUSE, [planId, run.id, run.mode, run.planId]);
}

// What was read stands in lists, whose length nobody guesses: a join would be quadratic. Items and what was read are put next to each
// other instead.
const REFUSE = `
  with met as (
    select max(seq) as seq from (
      select kind, account_id, seq from plan_items where plan_id = $1 and account_id is not null and ($3 = 'full' or action = 'delete')
      union all select kind, unnest(account_ids), null from run_seen where run_id = $2) each
    group by kind, account_id having count(seq) > 0 and count(*) > count(seq))
  insert into plan_outcomes (plan_id, seq, state, message)
  select $1, i.seq, 'refused', 'A run that began later has read it otherwise.' from met join plan_items i on i.plan_id = $1 and i.seq = met.seq
   where not exists (select from plan_items n where n.plan_id = $4 and n.kind = i.kind and n.native_id = i.native_id and n.hash = i.hash)
  on conflict do nothing`;
