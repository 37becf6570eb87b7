import type { Work } from "../db/database.ts";
import { wakeDeliveries } from "./decision.ts";

/**
 * State is the truth and jobs are wake-ups; this finds states whose wake-up was lost (a flagged connection that was resumed,
 * a job that a crash used up, a policy that changed by other ways) and wakes them. Cheap when nothing waits.
 */
export async function wakeWhatWaits(work: Work): Promise<{ deliveries: number; targets: number }> {
  const { sql, ctx } = work;
  const { rows: waiting } = await sql.query<{ id: number }>(
    `select p.id from projections p join connections c on c.id = p.connection_id
     where p.state in ('waiting', 'retrying') and c.enabled and c.state <> 'flagged'
       and not exists (select from graphile_worker.jobs j where j.key = 'deliver:' || p.id and j.attempts < j.max_attempts)
     order by p.id limit 10000`,
  );
  await wakeDeliveries(
    work,
    waiting.map(({ id }) => id),
  );
  const { rows: targets } = await sql.query<{ id: number }>(
    `select c.id from connections c
     where c.enabled and (jsonb_typeof(c.policy -> 'provision') = 'object' or c.policy -> 'writeBack' ->> 'disable' = 'true' or c.policy -> 'writeBack' ->> 'groups' = 'true')
       and not exists (select from graphile_worker.jobs j where j.queue_name = 'project:' || c.id and j.attempts < j.max_attempts)
       and (exists (select from projections p where p.connection_id = c.id and p.dirty_at is not null)
         or exists (select from watermarks w where starts_with(w.key, 'marking:' || c.id || ':'))
         or not exists (select from watermarks w where w.key like 'policy:' || c.id || ':%' and w.at >= c.updated_at))`,
  );
  for (const { id } of targets) {
    await sql.query(
      `select graphile_worker.add_job('project', json_build_object('connectionId', $1::int), 'project:' || $1::int, null, 25, 'project:' || $1::int || ':' || $2)`,
      [id, ctx.correlationId],
    );
  }
  return { deliveries: waiting.length, targets: targets.length };
}
