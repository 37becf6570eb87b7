import type { Sql } from "../db/database.ts";
import { employmentAbsences } from "../directory/employment.ts";
import { personExpiry } from "../directory/person-expiry.ts";
import { AppError } from "../errors.ts";
import type { StepFacts, TargetFact } from "./steps.ts";

const PERSON = `
  select p.state, p.created_at as "createdAt", c.name as origin,
    (select case when n.state in ('failed', 'skipped') then coalesce(n.problem, n.state) end from notices n where n.person_id = p.id and n.notice = 'invitation'
      order by n.created_at desc, n.id limit 1) as "invitationProblem", l.valid_from as since, l.reason as why,
    (select count(*)::int from sessions s where s.person_id = p.id and s.ended_at is null and s.expires_at > $2) as "liveSessions",
    (select count(*)::int from tokens t where t.person_id = p.id and t.revoked_at is null and (t.expires_at is null or t.expires_at > $2)) as "liveTokens"
  from people p left join connections c on c.id = p.origin_id
  left join lateral (select valid_from, reason from lifecycle_periods l where l.person_id = p.id and l.recorded_to is null and l.valid_to is null
    order by valid_from desc limit 1) l on true
  where p.id = $1`;

const SERVICE_TOKENS = `
  select t.name, t.created_at as "createdAt" from tokens t
  where t.responsible_id = $1 and t.revoked_at is null and (t.expires_at is null or t.expires_at > $2)
    and not exists (select from tokens n where n.replaces_id = t.id and n.revoked_at is null) order by t.name, t.id`;

const ACCOUNTS = `
  select c.name as connection, a.linked_by as "linkedBy", a.linked_at as "linkedAt", coalesce(a.gone_at, case when a.person_id is null then a.changed_at end) as "goneAt"
  from accounts a join connections c on c.id = a.connection_id where $1 in (a.person_id, a.former_person_id) order by c.name, a.id`;

const UNITS = `
  select u.name::text, min(pu.valid_from) as since from person_units pu join units u on u.id = pu.unit_id
  where pu.person_id = $1 and pu.recorded_to is null and pu.valid_to is null group by u.id, u.name order by u.name`;

const GRANTS = `
  select roles.name as role, u.name::text as unit, g.valid_from as from, g.granted_by as by
  from grants g join roles on roles.id = g.role_id join units u on u.id = g.unit_id
  where g.person_id = $1 and g.recorded_to is null and (g.valid_to is null or g.valid_to > $2) order by g.valid_from, g.id`;

/** By account, which every item of somebody who is known has, there is an index; by person there is none. */
const HELD = `
  select pl.id as plan, c.name as connection, i.action, pl.closed_at as at
  from plans pl join connections c on c.id = pl.connection_id
  join accounts a on a.connection_id = pl.connection_id and $1 in (a.person_id, a.former_person_id)
  join plan_items i on i.plan_id = pl.id and i.kind = a.kind and i.native_id = a.native_id
  where pl.state = 'held' order by pl.id`;

/** Columns of a TargetFact, of `pr` (projections), `c` (connections) and `g` (groups). */
export const TARGET_FACT = `pr.id as "projectionId", c.name as target, g.display_name::text as "group",
  coalesce(jsonb_typeof(c.policy -> 'provision') = 'object', false) as provisioned, pr.native_id as "nativeId",
  pr.desired_state as "desiredState", encode(pr.desired_hash, 'hex') as "desiredHash", pr.delivered_state as "deliveredState",
  encode(pr.delivered_hash, 'hex') as "deliveredHash", pr.state, pr.dirty_at is not null as dirty, pr.attempts, pr.last_error as "lastError",
  pr.decided_at as "decidedAt", pr.delivered_at as "deliveredAt", pr.remove_after as "removeAfter",
  case when pr.state <> 'idle' then (select j.run_at from graphile_worker.jobs j where j.key = 'deliver:' || pr.id) end as "nextTry",
  case when not c.enabled then 'disabled' when c.state = 'flagged' then 'flagged' end as stopped`;

const TARGETS = `
  select ${TARGET_FACT} from projections pr join connections c on c.id = pr.connection_id left join groups g on false where pr.person_id = $1
  union all
  select ${TARGET_FACT} from projections pr join connections c on c.id = pr.connection_id join groups g on g.id = pr.group_id
  where pr.group_id in (select m.group_id from memberships m where m.person_id = $1 and m.recorded_to is null and m.valid_to is null)
  order by 2, 3 nulls first`;

/** What the steps of one person follow from. Throws `not_found`. */
export async function stepFacts(sql: Sql, { personId, now }: { personId: string; now: Date }): Promise<StepFacts> {
  const rowsOf = async <Row extends object>(text: string, ...more: unknown[]) => (await sql.query<Row>(text, [personId, ...more])).rows;
  const [person] = await rowsOf<Omit<StepFacts, "endsAt" | "serviceTokens" | "accounts" | "units" | "grants" | "held" | "targets">>(
    PERSON,
    now,
  );
  if (!person) throw new AppError("not_found", "There is no such person.", { field: "person" });
  return {
    ...person,
    endsAt: await endOf(sql, { personId, now }),
    serviceTokens: await rowsOf<StepFacts["serviceTokens"][number]>(SERVICE_TOKENS, now),
    accounts: await rowsOf<StepFacts["accounts"][number]>(ACCOUNTS),
    units: await rowsOf<StepFacts["units"][number]>(UNITS),
    grants: await rowsOf<StepFacts["grants"][number]>(GRANTS, now),
    held: await rowsOf<StepFacts["held"][number]>(HELD),
    targets: await rowsOf<TargetFact>(TARGETS),
  };
}

/** The sooner of a person's own end and the last day of employment. */
async function endOf(sql: Sql, { personId, now }: { personId: string; now: Date }): Promise<Date | null> {
  const absences = await employmentAbsences(sql, { personId, at: now });
  const ends = [await personExpiry(sql, personId), absences.find(({ to }) => to === null)?.from ?? null];
  return ends.reduce((soonest, end) => (soonest === null || (end !== null && end < soonest) ? end : soonest), null);
}
