import type { Sql } from "../db/database.ts";

/**
 * Of two accounts of one person that both change, each was decided beside what the other said before: one of them waits for the next
 * plan. Those that leave together were decided together. Who leaves goes first, then whoever has waited longest: an account that
 * changes at every run would otherwise keep another waiting for ever.
 */
export async function oneAccountAtOnce(sql: Sql, { planId }: { planId: number }): Promise<void> {
  await sql.query({
    name: "sync_one_account_at_once",
    text: `with several as (
        select subject_id from plan_items
         where plan_id = $1 and kind = 'user' and subject_version is not null
         group by subject_id having count(*) > 1 and not bool_and(action = 'delete'))
      insert into plan_outcomes (plan_id, seq, state, message)
      select $1, seq, 'refused', 'Another account of the same person changes with this plan, too.'
        from (select i.seq, row_number() over (partition by i.subject_id order by i.action <> 'delete', a.changed_at nulls first, i.seq) as place
                from several join plan_items i on i.plan_id = $1 and i.kind = 'user' and i.subject_id = several.subject_id
                left join accounts a on a.id = i.account_id) ranked
       where place > 1
      on conflict do nothing`,
    values: [planId],
  });
}
