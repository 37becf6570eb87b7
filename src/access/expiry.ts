import { recordEvents } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { settleEmployment } from "../directory/employment.ts";
import { markPeople } from "../directory/outbox.ts";
import { carryOutPersonExpiry } from "../directory/person-expiry.ts";
import { scheduleExpiry } from "./boundaries.ts";
import { evaluateConditionRules } from "./condition-rules.ts";
import { markHolders } from "./grant-rows.ts";
import { lockRules } from "./rule-lock.ts";
import { wakeRulesOnRoles } from "./rules-on-roles.ts";

interface Boundary {
  grantId: string;
  personId: string | null;
  groupId: string | null;
  source: string;
  role: string;
  unit: string;
}

const NAMED = `g.grant_id as "grantId", g.person_id as "personId", g.group_id as "groupId", g.source, roles.key as role, coalesce(units.code, units.id::text) as unit`;
const NAMES = "join roles on roles.id = g.role_id join units on units.id = g.unit_id";

// Grants that begin when they are given say so then; those that were given for later begin here.
const STARTED = `
  select ${NAMED} from grants g ${NAMES}
  where g.recorded_to is null and g.valid_from > $1 and g.valid_from <= $2
    and exists (select from grants earlier where earlier.grant_id = g.grant_id and earlier.recorded_from < g.valid_from)
  order by g.valid_from, g.id`;

// A revoked grant was recorded as closed when it ended, an expired one before.
const ENDED = `
  select ${NAMED} from grants g ${NAMES}
  where g.recorded_to is null and g.valid_to > $1 and g.valid_to <= $2 and g.recorded_from < g.valid_to
  order by g.valid_to, g.id`;

// Members whose time in a group ran out, while they were members and the grant held.
const MEMBERS_ENDED = `
  with recursive timed as (
    select * from grants where recorded_to is null and group_id is not null and expires_after_seconds is not null and (valid_to is null or valid_to > $1)
  ), below (grant_id, group_id, since, until) as (
    select timed.grant_id, timed.group_id, '-infinity'::timestamptz, 'infinity'::timestamptz from timed
    union
    select below.grant_id, edge.child_group_id, greatest(below.since, lower(edge.span)), least(below.until, upper(edge.span))
    from below cross join lateral (
      select spans.child_group_id, span
      from (select n.child_group_id, range_agg(n.valid) as ranges from nestings n where n.parent_group_id = below.group_id and n.recorded_to is null group by n.child_group_id) spans
      cross join lateral unnest(spans.ranges) span
    ) edge
  ), member_spans as (
    select spans.group_id, spans.person_id, span
    from (
      select m.group_id, m.person_id, range_agg(m.valid) as ranges from (select distinct group_id from below) each_group cross join lateral (select * from believed_memberships m where m.group_id = each_group.group_id offset 0) m
      group by m.group_id, m.person_id
    ) spans cross join lateral unnest(spans.ranges) span
  ), ended as (
    select timed.*, member_spans.person_id as member_id, least(below.until, upper(member_spans.span)) as left_at,
      below.since as nested_at, lower(member_spans.span) + make_interval(secs => timed.expires_after_seconds) as ended_at
    from timed join below on below.grant_id = timed.grant_id join member_spans on member_spans.group_id = below.group_id
  )
  select ${NAMED}, array_agg(distinct g.member_id) as members
  from ended g ${NAMES}
  where g.ended_at > $1 and g.ended_at <= $2 and g.ended_at > g.valid_from and g.ended_at > g.nested_at and (g.valid_to is null or g.ended_at < g.valid_to) and (g.left_at is null or g.left_at >= g.ended_at)
  group by g.grant_id, g.person_id, g.group_id, g.source, roles.key, units.code, units.id`;

/**
 * Carries out every beginning and end of grants since the watermark: records them and marks those concerned, so that targets follow;
 * and blocks the people whose own time is over, or who are not employed now, and lets those in who are again.
 * Access itself follows the clock and waits for nobody. The watermark's row is locked, so that two nodes do it once, and moves in the
 * same transaction, so that a node that dies leaves it to the next. Returns the next boundary, for which a job is queued.
 */
export async function carryOutExpiry(work: Work): Promise<{ started: number; expired: number; members: number; next: Date | null }> {
  const { ctx, sql } = work;
  const now = ctx.now();
  await lockRules(sql, "shared");
  const since = await lockWatermark(sql);
  const [expired, settled] = [await carryOutPersonExpiry(work), await settleEmployment(work)];
  // Who is employed from today on holds what rules give from today on.
  await evaluateConditionRules(work, { personIds: [...expired, ...settled] });
  if (since >= now) return { started: 0, expired: 0, members: 0, next: await scheduleExpiry(work) };
  const { rows: started } = await sql.query<Boundary>(STARTED, [since, now]);
  const { rows: ended } = await sql.query<Boundary>(ENDED, [since, now]);
  const { rows: membersEnded } = await sql.query<Boundary & { members: string[] }>(MEMBERS_ENDED, [since, now]);
  const data = ({ role, unit, source }: Boundary) => ({ role, unit, source });
  await recordEvents(work, [
    ...started.map((grant) => ({
      name: "grant.started" as const,
      subjectType: "grant",
      subjectId: grant.grantId,
      reason: "its time has come",
      data: data(grant),
    })),
    ...ended.map((grant) => ({
      name: "grant.expired" as const,
      subjectType: "grant",
      subjectId: grant.grantId,
      reason: "its time is over",
      data: data(grant),
    })),
    ...membersEnded.map((grant) => ({
      name: "grant.expired" as const,
      subjectType: "grant",
      subjectId: grant.grantId,
      reason: "the time of members is over",
      data: { ...data(grant), members: grant.members.length },
    })),
  ]);
  await markHolders(work, [...started, ...ended]);
  const members = [...new Set(membersEnded.flatMap((grant) => grant.members))];
  await wakeRulesOnRoles(work, { personIds: members, groupIds: [] });
  await markPeople(work, { personIds: members });
  await sql.query("update watermarks set at = $1 where key = 'access'", [now]);
  return { started: started.length, expired: ended.length, members: members.length, next: await scheduleExpiry(work) };
}

async function lockWatermark(sql: Sql): Promise<Date> {
  await sql.query("insert into watermarks (key, at) values ('access', $1) on conflict (key) do nothing", [new Date(0)]);
  const { rows } = await sql.query<{ at: Date }>("select at from watermarks where key = 'access' for update");
  return rows[0]?.at ?? new Date(0);
}
