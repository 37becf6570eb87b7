import type { Sql, Work } from "../db/database.ts";
import { enqueueExpiry } from "../directory/expiry-job.ts";

const OF_GRANTS = `
  select valid_from as at from grants where recorded_to is null and valid_from > $1 and (valid_to is null or valid_to > valid_from) and ($2::uuid[] is null or grant_id = any($2))
  union all
  select valid_to from grants where recorded_to is null and valid_to > $1 and ($2::uuid[] is null or grant_id = any($2))`;

// The next member whose time in a group runs out. A membership's end follows from its start, so one pass over the starts that lie
// less than that long back is enough.
const OF_MEMBERS = `
  select m.valid_from + make_interval(secs => g.expires_after_seconds) as at
  from grants g
  cross join lateral (
    with recursive below (group_id) as (
      select g.group_id
      union
      select n.child_group_id from below join nestings n on n.parent_group_id = below.group_id and n.recorded_to is null and n.valid_to is null
    )
    select m.valid_from from below join memberships m using (group_id)
    where m.recorded_to is null and m.valid_to is null and m.valid_from > $1::timestamptz - make_interval(secs => g.expires_after_seconds)
    order by m.valid_from limit 1
  ) m
  where g.group_id is not null and g.expires_after_seconds is not null and g.recorded_to is null and (g.valid_to is null or g.valid_to > $1)
    and ($2::uuid[] is null or g.grant_id = any($2))`;

const OF_PEOPLE = `
  select valid_from as at from person_expiries where recorded_to is null and valid_to is null and valid_from > $1 and $2::uuid[] is null`;

const OF_EMPLOYMENT = `
  select min(valid_from) as at from employment_absences where recorded_to is null and valid_from > $1 and $2::uuid[] is null
  union all
  select min(valid_to) from employment_absences where recorded_to is null and valid_to > $1 and $2::uuid[] is null`;

const OF_TRANSFERS = "select min(at) as at from transfers where at > $1 and $2::uuid[] is null";

const NEXT = `select min(at) as at from (${OF_GRANTS} union all ${OF_MEMBERS} union all ${OF_PEOPLE} union all ${OF_EMPLOYMENT} union all ${OF_TRANSFERS}) boundaries`;

export interface BoundaryOptions {
  /** Only boundaries of these grants; of all when absent. */
  grantIds?: readonly string[];
}

/** The next instant after `after` at which a grant begins or ends, a person's own time does, or a transfer comes, for whoever; null when nothing is ahead. */
export async function nextBoundary(sql: Sql, after: Date, { grantIds }: BoundaryOptions = {}): Promise<Date | null> {
  const { rows } = await sql.query<{ at: Date | null }>(NEXT, [after, grantIds ?? null]);
  return rows[0]?.at ?? null;
}

/**
 * Queues the `expire` job for the next boundary, in the caller's transaction; later ones are queued when that one is carried out.
 * Grants queue their own when they are given. To be called without options when memberships of groups have changed, once for
 * many changes: their members' time may run out before anything else.
 */
export async function scheduleExpiry(work: Work, options: BoundaryOptions = {}): Promise<Date | null> {
  const next = await nextBoundary(work.sql, work.ctx.now(), options);
  if (next) await enqueueExpiry(work.sql, next);
  return next;
}

// From the group outwards: who joins it now joins what is around it, too. However many are in already, this costs the same.
const OF_JOINERS = `
  with recursive around (group_id) as (
    select $2::uuid
    union
    select n.parent_group_id from around join nestings n on n.child_group_id = around.group_id and n.recorded_to is null and n.valid_to is null
  )
  select min($1::timestamptz + make_interval(secs => g.expires_after_seconds)) as at from around join grants g using (group_id)
  where g.expires_after_seconds is not null and g.recorded_to is null and (g.valid_to is null or g.valid_to > $1)`;

/** Queues the `expire` job for people who join this group now, in the caller's transaction; scheduleExpiry does so for everybody's boundaries. */
export async function scheduleJoinersExpiry(work: Work, { groupId }: { groupId: string }): Promise<Date | null> {
  const { rows } = await work.sql.query<{ at: Date | null }>(OF_JOINERS, [work.ctx.now(), groupId]);
  const next = rows[0]?.at ?? null;
  if (next) await enqueueExpiry(work.sql, next);
  return next;
}
