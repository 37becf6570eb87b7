import type { Sql } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";

/** Accounts of this plan that match one person alone, whose last account of the connection goes with it: the same one, made anew under another native id. */
const MADE_ANEW = `
  with left_by as (select subject_id from plan_items where plan_id = $2 and kind = 'user' and action = 'delete' and subject_id is not null),
  anew as (
    select a.id from plan_items i
      join accounts a on a.connection_id = $1 and a.kind = 'user' and a.native_id = i.native_id and a.situation = 'disputed' and a.gone_at is null
      join left_by on a.candidates = jsonb_build_array(left_by.subject_id)
     where i.plan_id = $2 and i.kind = 'user' and i.action = 'dispute'
       and not exists (select from accounts o where o.person_id = left_by.subject_id and o.connection_id = $1 and o.kind = 'user' and o.gone_at is null))
  update accounts set mapping_version = 0, version = version + 1 where id in (select id from anew)`;

/**
 * Who was deleted at the source and made anew before the next read had an account yet when the new one was matched, and so it waits for a
 * human. Once the old one is gone, nobody need be asked: it is decided about again at once, by a run over what is stored. A read of changes would not come by it.
 */
export async function decideMadeAnew(sql: Sql, { connectionId, planId }: { connectionId: number; planId: number }): Promise<void> {
  const { rowCount } = await sql.query(MADE_ANEW, [connectionId, planId]);
  if (!rowCount) return;
  await enqueue(sql, { job: "sync", payload: { connectionId, mode: "remap", trigger: "recovery" }, key: `sync:${connectionId}:remap` });
}
