import type { Sql } from "../db/database.ts";
import type { ExplainFacts, GrantFact, MembershipFact, NamedUnit, NestingFact, Obstacle, RoleFact, SourceRecord } from "./explain-facts.ts";

export interface ExplainQuestion {
  personId: string;
  permission: string;
  unitId: string;
  at: Date;
  /** What was believed at this instant; what is believed now when absent. */
  knownAt?: Date | undefined;
}

/** The condition that a row of a bitemporal table is believed; `$n` is the instant. Two forms, because each has its own index. */
export type Belief = (alias: string) => string;
export function beliefAt(knownAt: Date | undefined, parameter: string): Belief {
  if (knownAt === undefined) return (alias) => `(${alias}.recorded_to is null and ${parameter}::timestamptz is null)`;
  return (alias) =>
    `((${alias}.recorded_to is null and ${alias}.recorded_from <= ${parameter}::timestamptz) or (${alias}.recorded_to is not null and ${alias}.recorded @> ${parameter}::timestamptz))`;
}

const MEMBERSHIPS = ({ from, believed }: { from: "believed_memberships" | "memberships_ever"; believed: Belief }) => `
  select stretches.group_id as "groupId", lower(stretch) as "from", upper(stretch) as "to", groups.display_name::text as name,
    (select jsonb_agg(distinct jsonb_build_object('connection', c.name, 'accountId', m.account_id, 'nativeId', a.native_id))
     from ${from} m left join connections c on c.id = m.connection_id left join accounts a on a.id = m.account_id
     where m.person_id = $1 and m.group_id = stretches.group_id and m.valid && stretch and ${believed("m")}) as sources
  from (select m.group_id, range_agg(m.valid) as ranges from ${from} m where m.person_id = $1 and ${believed("m")} group by m.group_id) stretches
  cross join lateral unnest(stretches.ranges) stretch
  join groups on groups.id = stretches.group_id`;

const NESTINGS = (believed: Belief) => `
  with recursive above (group_id) as (
    select unnest($1::uuid[])
    union select n.parent_group_id from above join nestings n on n.child_group_id = above.group_id and n.valid @> $3::timestamptz and ${believed("n")}
  )
  select distinct n.child_group_id as "childId", n.parent_group_id as "parentId", c.name as connection, groups.display_name::text as name
  from above join nestings n on n.child_group_id = above.group_id and n.valid @> $3::timestamptz and ${believed("n")}
  join groups on groups.id = n.parent_group_id left join connections c on c.id = n.connection_id
  order by 1, 2, 3`;

export const GRANT = `
  g.grant_id as "grantId", g.group_id as "groupId", g.role_id as "roleId", g.source, g.reason, g.expires_after_seconds as "expiresAfterSeconds",
  g.valid_from as "from", g.valid_to as "to", jsonb_build_object('id', u.id, 'name', u.name, 'code', u.code) as unit,
  case when r.id is not null then jsonb_build_object('id', r.id, 'name', r.name, 'group', r.group_name, 'condition', r.condition) end as rule`;

// A grant whose group was deleted gives nothing. Here and below, `offset 0` keeps the planner to what one group, one unit has: it guesses many, and reads all.
const GRANTS = (believed: Belief) => `
  select ${GRANT} from (
    select g.* from grants g where g.person_id = $1 and ${believed("g")}
    union all
    select g.* from groups cross join lateral (select * from grants g where g.group_id = groups.id and ${believed("g")} offset 0) g
    where groups.id = any($2::uuid[]) and (groups.deleted_at is null or groups.deleted_at > $4)
  ) g cross join lateral (select * from units where units.id = g.unit_id offset 0) u left join rules r on r.id = g.rule_id
  order by g.valid_from, g.id`;

const ROLES = (believed: Belief) => `
  with recursive holding (role_id, holds, parent_id) as (
    select c.role_id, true, null::uuid from role_permissions c where c.permission_key = $1 and c.valid @> $4::timestamptz and ${believed("c")}
    union
    select p.role_id, false, p.parent_role_id from holding join role_parents p on p.parent_role_id = holding.role_id and p.valid @> $4::timestamptz and ${believed("p")}
  )
  select roles.id, roles.key, roles.name, roles.predefined, not (roles.deleted_at is null or roles.deleted_at > $4) as deleted,
    coalesce(bool_or(holding.holds), false) as holds, coalesce(array_agg(distinct holding.parent_id::text) filter (where holding.parent_id is not null), '{}') as "parentIds"
  from roles left join holding on holding.role_id = roles.id
  where holding.role_id is not null or roles.id = any($2::uuid[])
  group by roles.id order by roles.key`;

const UNIT_PATH = (believed: Belief) => `
  with recursive above (unit_id, height) as (
    select id, 0 from units where id = $1 and (deleted_at is null or deleted_at > $3)
    union
    select p.parent_id, height + 1 from above
    cross join lateral (select * from unit_placements p where p.unit_id = above.unit_id and p.parent_id is not null and ${believed("p")} offset 0) p
    where height < 1000 and p.valid @> $3::timestamptz
  )
  select units.id, units.name::text as name, units.code::text as code from above join units on units.id = above.unit_id order by height`;

// Periods that are open and those that have an end have an index each.
const STATE = (believed: Belief, ended: "is null" | "is not null") => `
  select 'state' as kind, l.state as what, null::text as connection, l.reason, l.valid_from as since, l.valid_to as until
  from lifecycle_periods l where l.person_id = $1 and l.valid_to ${ended} and l.valid @> $3::timestamptz and ${believed("l")}`;

const PERSON = (believed: Belief) => `
  ${STATE(believed, "is null")}
  union all
  ${STATE(believed, "is not null")}
  union all
  select 'block', b.owner, c.name, b.reason, b.valid_from, b.valid_to
  from blocks b left join connections c on c.id = b.connection_id where b.person_id = $1 and b.valid @> $3::timestamptz and ${believed("b")}
  union all
  select 'expired', 'expiry', null, e.reason, e.valid_from, e.valid_to from person_expiries e where e.person_id = $1 and e.valid @> $3::timestamptz and ${believed("e")}
  union all
  select 'not_employed', 'employment', c.name, '', e.valid_from, e.valid_to
  from employment_absences e left join connections c on c.id = e.connection_id where e.person_id = $1 and e.valid @> $3::timestamptz and ${believed("e")}`;

/** Reads what a question is answered from, as it was at `at`. Whoever asks must know that the person is there. */
export async function loadExplainFacts(sql: Sql, { personId, permission, unitId, at, knownAt }: ExplainQuestion): Promise<ExplainFacts> {
  const known = knownAt ?? null;
  const [third, second] = [beliefAt(knownAt, "$3"), beliefAt(knownAt, "$2")];
  const rowsOf = rowsBy(sql, knownAt === undefined ? "now" : "then");
  const memberships = await rowsOf<MembershipFact & { name: string; sources: SourceRecord[] | null }>(
    "memberships",
    MEMBERSHIPS({ from: knownAt === undefined ? "believed_memberships" : "memberships_ever", believed: second }),
    [personId, known],
  );
  const current = memberships.filter(({ from, to }) => from <= at && (to === null || to > at)).map(({ groupId }) => groupId);
  const nestings =
    current.length === 0 ? [] : await rowsOf<NestingFact & { name: string }>("nestings", NESTINGS(second), [current, known, at]);
  const groups = new Map([
    ...memberships.map(({ groupId, name }) => [groupId, name] as const),
    ...nestings.map(({ parentId, name }) => [parentId, name] as const),
  ]);
  const reached = [...new Set([...current, ...nestings.map(({ parentId }) => parentId)])];
  const grants = await rowsOf<GrantFact>("grants", GRANTS(third), [personId, reached, known, at]);
  const roles = await rowsOf<RoleFact>("roles", ROLES(third), [permission, grants.map(({ roleId }) => roleId), known, at]);
  const unitPath = await rowsOf<NamedUnit>("unit-path", UNIT_PATH(second), [unitId, known, at]);
  const standing = await rowsOf<Obstacle>("standing", PERSON(second), [personId, known, at]);
  const lived = standing.find(({ kind }) => kind === "state");
  return {
    at,
    permission,
    person: {
      state: lived?.what ?? null,
      blocks: standing.filter(({ kind, what }) => kind !== "state" || what !== "active"),
    },
    unitPath,
    memberships: memberships.map(({ groupId, from, to, sources }) => ({ groupId, from, to, sources: sources ?? [] })),
    nestings: nestings.map(({ childId, parentId, connection }) => ({ childId, parentId, connection })),
    groups,
    grants,
    roles: new Map(roles.map((role) => [role.id, role])),
  };
}

/** Planned once for each connection: planning such a statement costs several times its execution. */
const rowsBy =
  (sql: Sql, believed: "now" | "then") =>
  async <Row extends object>(what: string, text: string, values: unknown[]): Promise<Row[]> =>
    (await sql.query<Row>({ name: `explain-${what}-${believed}`, text, values })).rows;
