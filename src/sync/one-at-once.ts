import type { Sql } from "../db/database.ts";

/**
 * Of two accounts of one person that both change, each was decided beside what the other said before: one of them waits for the next
 * plan. Those that leave together were decided together.
 */
export async function oneAccountAtOnce(sql: Sql, { planId, connectionId }: { planId: number; connectionId: number }): Promise<void> {
  await sql.query({
    name: "sync_one_account_at_once",
    text: `insert into plan_outcomes (plan_id, seq, state, message)
      select $1, seq, 'refused', 'Another account of the same person changes with this plan, too.'
        from (select seq, row_number() over each as place, bool_and(action = 'delete') over (partition by subject_id) as leaving
                from plan_items where plan_id = $1 and kind = 'user' and subject_version is not null and exists (select from accounts where connection_id = $2)
              window each as (partition by subject_id order by seq)) i
       where place > 1 and not leaving
      on conflict do nothing`,
    values: [planId, connectionId],
  });
}
