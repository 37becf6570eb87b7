import type { Sql } from "../db/database.ts";

/**
 * A plan that was approved while a newer run was reading is applied after that run. What the run read of an account, and decides otherwise
 * about or not at all, is newer than the plan: such items are refused, and wait for the next plan. A run that reads changes only lists
 * the others by their ids, which shows that they are there, and nothing more.
 */
export async function refuseReadSince(
  sql: Sql,
  { planId, runId, connectionId }: { planId: number; runId: number; connectionId: number },
): Promise<void> {
  await sql.query(
    `with newer as (
        select id, mode from runs where connection_id = $3 and id > $2 and mode <> 'remap' and trigger <> 'replay' order by id desc limit 1),
      seen as (select distinct s.kind, unnest(s.account_ids) as account_id from newer r join run_seen s on s.run_id = r.id)
      insert into plan_outcomes (plan_id, seq, state, message)
      select i.plan_id, i.seq, 'refused', 'A run that began later has read it otherwise.'
        from newer r join plan_items i on i.plan_id = $1 and (r.mode = 'full' or i.action = 'delete')
        join seen s on s.kind = i.kind and s.account_id = i.account_id
       where not exists (select from plans p join plan_items n on n.plan_id = p.id and n.kind = i.kind and n.native_id = i.native_id and n.hash = i.hash where p.run_id = r.id)
      on conflict do nothing`,
    [planId, runId, connectionId],
  );
}
