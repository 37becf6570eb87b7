import type { Work } from "../db/database.ts";
import { wakeDeliveries } from "./decision.ts";
import { PASSING_FAULTS } from "./outcome.ts";

/** Whoever is to leave an application that was away for longer than a letter is tried: how often they are tried on, for as long as it takes. */
const TRIED_ON_MS = 3_600_000;

/**
 * State is the truth and jobs are wake-ups; this finds states whose wake-up was lost (a flagged connection that was resumed,
 * a job that a crash used up, a policy that changed by other ways) and wakes them. Cheap when nothing waits.
 */
export async function wakeWhatWaits(work: Work): Promise<{ deliveries: number; targets: number }> {
  const { sql, ctx } = work;
  await tryLeaversOn(work);
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
      `select enqueue_job('project', json_build_object('connectionId', $1::int), 'project:' || $1::int, null, 25, 'project:' || $1::int || ':' || $2)`,
      [id, ctx.correlationId],
    );
  }
  return { deliveries: waiting.length, targets: targets.length };
}

/** Their letter is dead, and says so; but nobody stays in because an application came back on a day when no administrator looked. */
async function tryLeaversOn({ sql, ctx }: Work): Promise<void> {
  await sql.query(
    `update projections p set state = 'retrying' from connections c
     where c.id = p.connection_id and p.state = 'dead' and p.desired_state in ('disabled', 'removed') and c.enabled and c.state <> 'flagged'
       and exists (select from (select fault_kind, finished_at from deliveries d where d.projection_id = p.id order by id desc limit 1) latest
         where latest.fault_kind = any($1) and latest.finished_at <= $2)`,
    [PASSING_FAULTS, new Date(ctx.now().getTime() - TRIED_ON_MS)],
  );
}
