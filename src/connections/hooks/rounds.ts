import type { Work } from "../../db/database.ts";
import { enqueueKeeping } from "./enqueue.ts";

/** Events are told again within a day or not at all. */
const TOLD_FOR_MS = 2 * 24 * 3_600_000;

/** Has every connection looked after that has notifications, should have, or leaves subscriptions behind. */
export async function startRounds({ ctx, sql }: Work): Promise<void> {
  const { rows } = await sql.query<{ id: number }>(
    `select id from connections where enabled and (policy -> 'notifications' ->> 'enabled')::boolean
     union select connection_id from hooks where address is not null or left_behind is not null order by 1`,
  );
  for (const { id } of rows) await enqueueKeeping(sql, id);
  await sql.query("delete from hook_events where seen_at < $1", [new Date(ctx.now().getTime() - TOLD_FOR_MS)]);
}
