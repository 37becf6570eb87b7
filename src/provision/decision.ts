import type { AttributeObject } from "../../connectors/contract.ts";
import type { Work } from "../db/database.ts";
import type { DesiredState, ProjectionState } from "./desired.ts";

/** What a projecting pass decided for one projection. */
export interface Decision {
  id: number;
  /** The version it was decided on: a projection that moved on meanwhile stays dirty. */
  version: number;
  desiredState: DesiredState;
  desired: AttributeObject | null;
  desiredHash: Buffer | null;
  state: ProjectionState;
  lastError: string | null;
  removeAfter: Date | null;
  wake: boolean;
  /** The desired state differs from what was stored. */
  changed: boolean;
}

/**
 * Stores a page of decisions and wakes their deliveries, in one statement each. What was desired last is kept for an account
 * that is wanted no more: by it an account is found whose making was not confirmed.
 */
export async function storeDecisions(work: Work, decisions: readonly Decision[]): Promise<void> {
  if (decisions.length === 0) return;
  const { rows } = await work.sql.query<{ id: number }>(
    `with d as materialized (
       select * from unnest($1::bigint[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::boolean[])
         as d (id, version, desired_state, desired, desired_hash, state, last_error, remove_after, changed)
     ), locked as materialized (
       -- In the order in which they are marked, so that who marks and who decides wait for each other and don't deadlock.
       select p.id from projections p join d on d.id = p.id and d.version = p.version
       order by p.connection_id, coalesce(p.person_id, p.group_id) for update of p
     )
     update projections p set
       desired_state = d.desired_state, desired = coalesce(d.desired::jsonb, p.desired), desired_hash = decode(d.desired_hash, 'hex'), state = d.state,
       last_error = d.last_error, remove_after = d.remove_after, dirty_at = null,
       attempts = case when d.changed then 0 else p.attempts end,
       version = p.version + d.changed::int,
       decided_at = coalesce(p.decided_at, $10)
     from d join locked using (id)
     where p.id = d.id and p.version = d.version
     returning p.id`,
    [
      decisions.map(({ id }) => id),
      decisions.map(({ version }) => version),
      decisions.map(({ desiredState }) => desiredState),
      decisions.map(({ desired }) => (desired === null ? null : JSON.stringify(desired))),
      decisions.map(({ desiredHash }) => desiredHash?.toString("hex") ?? null),
      decisions.map(({ state }) => state),
      decisions.map(({ lastError }) => lastError),
      decisions.map(({ removeAfter }) => removeAfter),
      decisions.map(({ changed }) => changed),
      work.ctx.now(),
    ],
  );
  const stored = new Set(rows.map(({ id }) => id));
  await wakeDeliveries(
    work,
    decisions.filter(({ id, wake }) => wake && stored.has(id)).map(({ id }) => id),
  );
}

/** Queues one delivery job per projection; one that waits already is moved up. */
export async function wakeDeliveries({ sql }: Work, projectionIds: readonly number[]): Promise<void> {
  if (projectionIds.length === 0) return;
  // Those whose job begins at this moment are not added with the others, see enqueue_job.
  await sql.query(
    `with added as materialized (select key from graphile_worker.add_jobs(array(
       select row('deliver', json_build_object('projectionId', id), null, null, 25, 'deliver:' || id, null, null)::graphile_worker.job_spec
       from unnest($1::bigint[]) as id order by id)))
     select enqueue_job('deliver', json_build_object('projectionId', id), job_key := 'deliver:' || id)
     from unnest($1::bigint[]) as id where 'deliver:' || id not in (select key from added) order by id`,
    [projectionIds],
  );
}
