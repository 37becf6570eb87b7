import type { Kind, Source } from "../../connectors/contract.ts";
import type { Run } from "./begin.ts";
import { fingerprint } from "./fingerprint.ts";
import { withReference } from "./pull.ts";
import { stageChanged } from "./read.ts";

/** How many refused records an incremental run asks for again: each is a question to the source. The others wait for the next full read. */
const AT_MOST = 100;

/**
 * Records that the last run could not take in because somebody had what they claim (a login name), or that could not be
 * stored: a source that tells changes won't tell of them again, though nothing may stand in their way any more. Those that
 * are refused again are problems of this run, and so come before the next one.
 */
const REFUSED = `
  with last as (
    select r.id, p.id as plan_id from runs r join plans p on p.run_id = r.id
     where r.connection_id = $1 and r.id < $2 and r.mode <> 'remap' and p.state = 'applied' order by r.id desc limit 1),
  refused as (
    select q.native_id from last join run_problems q on q.run_id = last.id where q.kind = $3 and q.code = 'conflict'
    union
    select i.native_id from last join plan_outcomes o on o.plan_id = last.plan_id and o.state = 'failed'
      join plan_items i on i.plan_id = o.plan_id and i.seq = o.seq and i.kind = $3)
  select native_id as "nativeId" from refused f
   where not exists (select from plan_items i where i.plan_id = $4 and i.kind = $3 and i.native_id = f.native_id)
     and not exists (select from run_problems q where q.run_id = $2 and q.kind = $3 and q.native_id = f.native_id)
   order by native_id limit ${AT_MOST}`;

/** After an incremental read: reads again, one by one, what was refused before and has not come by itself. */
export async function readRefused(run: Run, source: Source, kind: Kind): Promise<void> {
  const { rows } = await run.db.pool.query<{ nativeId: string }>({
    name: "sync_refused",
    text: REFUSED,
    values: [run.connection.id, run.id, kind, run.planId],
  });
  for (const { nativeId } of rows) {
    run.ctx.signal.throwIfAborted();
    const record = await source.readOne(kind, nativeId);
    if (record !== "gone" && !record.outOfScope)
      await stageChanged(run, [{ record: withReference(record), hash: fingerprint(record).toString("hex") }]);
  }
}
