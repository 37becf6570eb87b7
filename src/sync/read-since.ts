import type { Sql } from "../db/database.ts";

/**
 * A plan that was approved while a newer run was reading is applied after that run. What the run read of an account, and decides otherwise
 * about or not at all, is newer than the plan: such items are refused, and wait for the next plan. A run that reads changes only lists
 * the others by their ids, which shows that they are there, and nothing more. Which run is newer is told by its plan, opened as it began:
 * its own number is from when it was asked for. Runs that ended before the approval left the plan held; clocks of two nodes differ.
 */
export async function refuseReadSince(sql: Sql, { planId, connectionId }: { planId: number; connectionId: number }): Promise<void> {
  await sql.query(
    `with newer as (
        select r.id, r.mode, n.id as plan_id from plans p join plans n on n.connection_id = $2 and n.id > p.id join runs r on r.id = n.run_id
         where p.id = $1 and r.mode <> 'remap' and r.trigger <> 'replay'
           and (r.finished_at is null or p.decided_at is null or r.finished_at > p.decided_at - interval '1 hour')),
      seen as (select s.run_id, s.kind, unnest(s.account_ids) as account_id from newer r join run_seen s on s.run_id = r.id)
      insert into plan_outcomes (plan_id, seq, state, message)
      select i.plan_id, i.seq, 'refused', 'A run that began later has read it otherwise.'
        from newer r join plan_items i on i.plan_id = $1 and (r.mode = 'full' or i.action = 'delete')
        join seen s on s.run_id = r.id and s.kind = i.kind and s.account_id = i.account_id
       where not exists (select from plan_items n where n.plan_id = r.plan_id and n.kind = i.kind and n.native_id = i.native_id and n.hash = i.hash)
      on conflict do nothing`,
    [planId, connectionId],
  );
}
