import type { Sql } from "../db/database.ts";

export interface EffectiveAccess {
  unitId: string;
  /** `module.resource.action` */
  permission: string;
  grantId: string;
  /** manual | rule | request */
  source: string;
  ruleId: string | null;
  /** The unit that the grant names; `unitId` is it or stands below it. */
  grantedUnitId: string;
  /** The role that was granted. */
  roleId: string;
  /** The role that holds the permission: the granted one, or one that it inherits. */
  permissionRoleId: string;
  /** The group that holds the grant, and the group in it whose member the person is; null for a grant to the person. */
  groupId: string | null;
  memberGroupId: string | null;
  /** Since when the person is in `memberGroupId`; a grant that runs out per member counts from here. */
  memberSince: Date | null;
  /** When this derivation ends by itself. */
  endsAt: Date | null;
}

export interface AccessQuestion {
  personId: string;
  at: Date;
  /** What was believed at this instant; what is believed now when absent. */
  knownAt?: Date;
  /** Only this permission. */
  permission?: string;
}

type Belief = (table: string) => string;
const NOW_BELIEVED: Belief = (table) => `${table}.recorded_to is null`;
// Written as two cases because each has its own index.
const BELIEVED_THEN: Belief = (table) =>
  `((${table}.recorded_to is null and ${table}.recorded_from <= $5::timestamptz) or (${table}.recorded_to is not null and ${table}.recorded @> $5::timestamptz))`;

const UNITS_BELOW: Belief = (belief) => `
  covered (granted_unit_id, unit_id) as (
    select distinct unit_id, unit_id from held where $3::uuid is null
    union
    select covered.granted_unit_id, p.unit_id
    from covered join unit_placements p on p.parent_id = covered.unit_id and p.valid @> $2::timestamptz and ${belief}
  )`;

const UNIT_AND_ABOVE: Belief = (belief) => `
  above (unit_id) as (
    select $3::uuid
    union
    select p.parent_id from above join unit_placements p on p.unit_id = above.unit_id and p.parent_id is not null and p.valid @> $2::timestamptz and ${belief}
  ), covered (granted_unit_id, unit_id) as (
    select above.unit_id, $3::uuid from above
  )`;

// What grants name, and nothing below it.
const AS_GRANTED: Belief = () =>
  "covered (granted_unit_id, unit_id) as (select distinct unit_id, unit_id from held where $3::uuid is null)";

/**
 * One statement for the whole derivation: membership spans, nesting, grants to the person and to the groups, inheritance of roles,
 * the tree of units, each as it was at $2. Periods are [from, to): at `to` itself there is nothing left. A membership span is what
 * touching periods make together, whichever source asserts them, so that a second assertion does not set a member's clock back.
 * A member's time is counted from its own membership, however groups are nested since: hanging a group elsewhere, or in a circle,
 * gives nobody more time, and taking something away never gives access. Whose own time is over, or
 * who is not employed by the dates of an origin, has none, however late the job comes.
 */
function statement(belief: Belief, units: Belief): string {
  const memberships = belief === NOW_BELIEVED ? "believed_memberships" : "memberships_ever";
  return `
  with recursive person_groups (group_id, member_group_id, since) as (
    select spans.group_id, spans.group_id, lower(span)
    from (select m.group_id, range_agg(m.valid) as ranges from ${memberships} m where m.person_id = $1 and ${belief("m")} group by m.group_id) spans
    cross join lateral unnest(spans.ranges) span where span @> $2::timestamptz
    union
    select n.parent_group_id, person_groups.member_group_id, person_groups.since
    from person_groups join nestings n on n.child_group_id = person_groups.group_id and n.valid @> $2::timestamptz and ${belief("n")}
  ), held as (
    select g.grant_id, g.source, g.rule_id, g.role_id, g.unit_id, null::uuid as group_id, null::uuid as member_group_id, null::timestamptz as since, g.valid_to as ends_at
    from grants g where g.person_id = $1 and g.valid @> $2::timestamptz and ${belief("g")}
    union all
    select g.grant_id, g.source, g.rule_id, g.role_id, g.unit_id, g.group_id, person_groups.member_group_id, person_groups.since,
      least(g.valid_to, person_groups.since + make_interval(secs => g.expires_after_seconds))
    from person_groups
    join groups on groups.id = person_groups.group_id and (groups.deleted_at is null or groups.deleted_at > $2)
    cross join lateral (select * from grants g where g.group_id = person_groups.group_id and g.valid @> $2::timestamptz and ${belief("g")} offset 0) g
    where g.expires_after_seconds is null or person_groups.since + make_interval(secs => g.expires_after_seconds) > $2
  ), inherited (role_id, permission_role_id) as (
    select distinct role_id, role_id from held
    union
    select inherited.role_id, p.parent_role_id
    from inherited join role_parents p on p.role_id = inherited.permission_role_id and p.valid @> $2::timestamptz and ${belief("p")}
  ), ${units(belief("p"))}
  select covered.unit_id as "unitId", content.permission_key as permission, held.grant_id as "grantId", held.source, held.rule_id as "ruleId",
    held.unit_id as "grantedUnitId", held.role_id as "roleId", content.role_id as "permissionRoleId",
    held.group_id as "groupId", held.member_group_id as "memberGroupId", held.since as "memberSince", held.ends_at as "endsAt"
  from held
  join roles on roles.id = held.role_id and (roles.deleted_at is null or roles.deleted_at > $2)
  join covered on covered.granted_unit_id = held.unit_id
  join units on units.id = covered.unit_id and (units.deleted_at is null or units.deleted_at > $2)
  join inherited on inherited.role_id = held.role_id
  join role_permissions content on content.role_id = inherited.permission_role_id and content.valid @> $2::timestamptz and ${belief("content")}
    and ($4::text is null or content.permission_key = $4)
  where (
    exists (select from lifecycle_periods l where l.person_id = $1 and l.valid_to is null and l.state = 'active' and l.valid @> $2::timestamptz and ${belief("l")})
    or exists (select from lifecycle_periods l where l.person_id = $1 and l.valid_to is not null and l.state = 'active' and l.valid @> $2::timestamptz and ${belief("l")})
  ) and not exists (select from person_expiries e where e.person_id = $1 and e.valid @> $2::timestamptz and ${belief("e")})
    and not exists (select from employment_absences a where a.person_id = $1 and a.valid @> $2::timestamptz and ${belief("a")})`;
}

const EFFECTIVE_ACCESS = statement(NOW_BELIEVED, UNITS_BELOW);
const EFFECTIVE_ACCESS_AS_KNOWN = statement(BELIEVED_THEN, UNITS_BELOW);
const ACCESS_ON_UNIT = statement(NOW_BELIEVED, UNIT_AND_ABOVE);
const ACCESS_ON_UNIT_AS_KNOWN = statement(BELIEVED_THEN, UNIT_AND_ABOVE);

/**
 * SQL of the derivations, one row each with the columns of EffectiveAccess, for use inside a larger statement: $1 is the person, $2 the
 * instant, $3 a unit (null: all that are covered), $4 a permission (null: each), $5 when it was believed, where that is asked.
 */
export function accessSql({ onUnit, asKnown }: { onUnit: boolean; asKnown: boolean }): string {
  if (asKnown) return onUnit ? ACCESS_ON_UNIT_AS_KNOWN : EFFECTIVE_ACCESS_AS_KNOWN;
  return onUnit ? ACCESS_ON_UNIT : EFFECTIVE_ACCESS;
}

const GRANTED_UNITS = `
  select distinct granted.permission, units.path::text, (units.parent_id is null and units.type = 'organization') as top
  from (${statement(NOW_BELIEVED, AS_GRANTED)}) granted join units on units.id = granted."unitId"`;

export interface GrantedUnit {
  permission: string;
  path: string;
  /** An organisation at the top of the tree. */
  top: boolean;
}

/** The units on which the person was given a permission, or each of them when none is named. */
export async function grantedUnits(
  sql: Sql,
  { personId, at, permission }: { personId: string; at: Date; permission?: string },
): Promise<GrantedUnit[]> {
  const { rows } = await sql.query<GrantedUnit>({
    // Asked at the beginning of every request of a person: planning it costs several times its execution.
    name: "granted-units",
    text: GRANTED_UNITS,
    values: [personId, at, null, permission ?? null],
  });
  return rows;
}

/** Every permission that the person holds at `at`, per unit that it covers, one row per derivation. */
export async function effectiveAccess(sql: Sql, { personId, at, knownAt, permission }: AccessQuestion): Promise<EffectiveAccess[]> {
  const { rows } = knownAt
    ? await sql.query<EffectiveAccess>(EFFECTIVE_ACCESS_AS_KNOWN, [personId, at, null, permission ?? null, knownAt])
    : await sql.query<EffectiveAccess>(EFFECTIVE_ACCESS, [personId, at, null, permission ?? null]);
  return rows;
}

/** The derivations by which the person holds permissions on one unit; asks upwards, so that its cost does not grow with the tree. */
export async function accessOnUnit(
  sql: Sql,
  { personId, unitId, at, knownAt, permission }: AccessQuestion & { unitId: string },
): Promise<EffectiveAccess[]> {
  const { rows } = knownAt
    ? await sql.query<EffectiveAccess>(ACCESS_ON_UNIT_AS_KNOWN, [personId, at, unitId, permission ?? null, knownAt])
    : await sql.query<EffectiveAccess>(ACCESS_ON_UNIT, [personId, at, unitId, permission ?? null]);
  return rows;
}

/** Whether the person may do this on this unit at that instant. */
export async function checkAccess(
  sql: Sql,
  question: { personId: string; permission: string; unitId: string; at: Date },
): Promise<boolean> {
  return (await accessOnUnit(sql, question)).length > 0;
}
