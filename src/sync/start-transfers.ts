import type { Work } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";

/**
 * Has everybody decided about again whose transfer has come, by a run of their connection over what is stored: its plan, limits
 * and trail are there already. In the caller's transaction, and safe to repeat. Those of a connection that is switched off wait.
 * Returns how many there are.
 */
export async function startTransfers({ ctx, sql }: Work): Promise<number> {
  const { rows } = await sql.query<{ connectionId: number; people: number }>(
    `with due as (
        delete from transfers t using accounts a, connections c
         where t.at <= $1 and a.id = t.account_id and c.id = a.connection_id and c.enabled returning t.account_id),
      again as (
        update accounts set mapping_version = 0, version = version + 1 where id in (select account_id from due) and gone_at is null
        returning connection_id)
      select connection_id as "connectionId", count(*)::int as people from again group by connection_id order by connection_id`,
    [ctx.now()],
  );
  for (const { connectionId } of rows)
    await enqueue(sql, { job: "sync", payload: { connectionId, mode: "remap", trigger: "recovery" }, key: `sync:${connectionId}:remap` });
  return rows.reduce((sum, { people }) => sum + people, 0);
}
