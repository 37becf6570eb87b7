import type { Sql, Work } from "../../db/database.ts";
import { enqueueKeeping } from "./enqueue.ts";

/** A connection was added or changed: whether it has what it should have is looked at soon. */
export async function wakeHooks(sql: Sql, { connectionId, wanted }: { connectionId: number; wanted: boolean }): Promise<void> {
  const { rowCount } = await sql.query("select from hooks where connection_id = $1 and address is not null", [connectionId]);
  if (wanted || rowCount) await enqueueKeeping(sql, connectionId);
}

/**
 * A connection is about to be removed: what it takes to end its subscriptions stays, sealed as it is, until they are ended or
 * have ended by themselves.
 */
export async function leaveHooks({ ctx, sql }: Work, connectionId: number): Promise<void> {
  await sql.query("delete from hook_events where connection_id = $1", [connectionId]);
  await sql.query("delete from hooks where connection_id = $1 and address is null", [connectionId]);
  const { rowCount } = await sql.query(
    `update hooks set left_behind = jsonb_build_object('at', $2::timestamptz, 'row', to_jsonb(c.*))
     from connections c where c.id = hooks.connection_id and c.id = $1`,
    [connectionId, ctx.now()],
  );
  if (rowCount) await enqueueKeeping(sql, connectionId);
}
