import type { Sql } from "../db/database.ts";
import type { PassedOn } from "./passed-on.ts";

/** A plan that broke after some of it was applied, and that no plan of its connection has been carried through since. */
export interface UnfinishedPlan {
  id: number;
  openedAt: Date;
  passedOn: readonly PassedOn[];
}

/** Those before a plan. What would have been settled at their ends is left to the plan that comes after them. */
export async function unfinishedBefore(
  sql: Sql,
  { planId, connectionId }: { planId: number; connectionId: number },
): Promise<readonly UnfinishedPlan[]> {
  const { rows } = await sql.query<UnfinishedPlan>(
    `select id, opened_at as "openedAt", coalesce(passed_on, '[]') as "passedOn" from plans p
      where connection_id = $1 and id < $2 and state = 'superseded' and exists (select from plan_batches b where b.plan_id = p.id)
        and id > coalesce((select max(id) from plans where connection_id = $1 and id < $2 and state = 'applied'), 0)
      order by id`,
    [connectionId, planId],
  );
  return rows;
}
