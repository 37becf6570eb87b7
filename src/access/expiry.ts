import { recordEvents } from "../audit/record.ts";
import { CLOCKS_APART_MS } from "../db/agreed-clock.ts";
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

// Up to the watermark ($3) only what nobody has recorded: it may have been decided since, by a clock that is behind that of the watermark.
const NOT_TOLD = (name: "grant.started" | "grant.expired", at: string) =>
  `(${at} > $3 or not exists (select from audit_events e where e.subject_id = g.grant_id::text and e.name = '${name}' and e.at >= ${at}))`;

// Grants that begin when they are given say so then; those that were given for later begin here.
const STARTED = `
  select ${NAMED} from grants g ${NAMES}
  where g.recorded_to is null and g.valid_from > $1 and g.valid_from <= $2
    and exists (select from grants earlier where earlier.grant_id = g.grant_id and earlier.recorded_from < g.valid_from)
    and ${NOT_TOLD("grant.started", "g.valid_from")}
  order by g.valid_from, g.id`;

// A revoked grant was recorded as closed when it ended, an expired one before.
const ENDED = `
  select ${NAMED} from grants g ${NAMES}
  where g.recorded_to is null and g.valid_to > $1 and g.valid_to <= $2 and g.recorded_from < g.valid_to
    and ${NOT_TOLD("grant.expired", "g.valid_to")}
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

// Whose grants a clock that was wrong has carried out before their time.
const CARRIED_OUT_EARLY = `
  select g.person_id as "personId", g.group_id as "groupId" from grants g
  where g.recorded_to is null and ((g.valid_from > $1 and g.valid_from <= $2) or (g.valid_to > $1 and g.valid_to <= $2))`;

/** So long ago a clock that was ahead may have been set right at most, with nothing carried out since. */
const LOOK_BACK_MS = 31 * 86_400_000;

/**
 * What is to be carried out at `now`: what is later than `from`, and of that, up to `known`, only what nobody has recorded. Clocks of nodes
 * differ, so a little of what lies before the watermark is always looked at. A watermark further ahead was set by a clock that was
 * wrong: what it covers says nothing of what was decided since that clock was set right.
 */
function spanOf({ since, now }: { since: Date; now: Date }): { from: Date; known: Date; wrong: boolean } {
  const known = since < now ? since : now;
  const wrong = since.getTime() - now.getTime() > CLOCKS_APART_MS;
  return { from: new Date(known.getTime() - (wrong ? LOOK_BACK_MS : CLOCKS_APART_MS)), known, wrong };
}

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
  const { from, known, wrong } = spanOf({ since, now });
  const { rows: started } = await sql.query<Boundary>(STARTED, [from, now, known]);
  const { rows: ended } = await sql.query<Boundary>(ENDED, [from, now, known]);
  const { rows: membersEnded } = await sql.query<Boundary & { members: string[] }>(MEMBERS_ENDED, [
    since > now ? from : since,
    wrong ? since : now,
  ]);
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
    // Of members nothing says which were recorded: where the watermark tells nothing, they are marked alone.
    ...(since > now ? [] : membersEnded).map((grant) => ({
      name: "grant.expired" as const,
      subjectType: "grant",
      subjectId: grant.grantId,
      reason: "the time of members is over",
      data: { ...data(grant), members: grant.members.length },
    })),
  ]);
  const { rows: early } = wrong ? await sql.query<Pick<Boundary, "personId" | "groupId">>(CARRIED_OUT_EARLY, [now, since]) : { rows: [] };
  await markHolders(work, [...started, ...ended, ...early]);
  const members = [...new Set(membersEnded.flatMap((grant) => grant.members))];
  await wakeRulesOnRoles(work, { personIds: members, groupIds: [] });
  await markPeople(work, { personIds: members });
  await sql.query("update watermarks set at = $1 where key = 'access'", [wrong || since < now ? now : since]);
  return { started: started.length, expired: ended.length, members: members.length, next: await scheduleExpiry(work) };
}

async function lockWatermark(sql: Sql): Promise<Date> {
  await sql.query("insert into watermarks (key, at) values ('access', $1) on conflict (key) do nothing", [new Date(0)]);
  const { rows } = await sql.query<{ at: Date }>("select at from watermarks where key = 'access' for update");
  return rows[0]?.at ?? new Date(0);
}
