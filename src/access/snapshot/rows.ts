import type { Sql } from "../../db/database.ts";

/** Microseconds since 1970, as far as a double reaches exactly; null stands for open. */
type Micros = number | null;

export interface UnitRow {
  id: string;
  /** In the database's lower case. */
  code: string | null;
  deleted: Micros;
}

/** A period of one thing hanging on another. */
export interface EdgeRow {
  child: string;
  parent: string;
  from: number;
  until: Micros;
}

export interface UnitRows {
  units: readonly UnitRow[];
  placements: readonly EdgeRow[];
}

export interface RoleRows {
  roles: readonly { id: string; deleted: Micros }[];
  /** Role to permission key. */
  permissions: readonly EdgeRow[];
  parents: readonly EdgeRow[];
}

export interface GroupGrantRow {
  group: string;
  role: string;
  unit: string;
  from: number;
  until: Micros;
  /** Seconds after a member's joining at which it ends for that member. */
  seconds: number | null;
}

export interface GroupRows {
  /** The groups that were read; null = all there are. */
  read: readonly string[] | null;
  groups: readonly { id: string; deleted: Micros }[];
  nestings: readonly EdgeRow[];
  grants: readonly GroupGrantRow[];
}

export interface PersonRow {
  id: string;
  /** User name in the database's lower case; null when there is nobody, or nobody any more, to be called by it. */
  name: string | null;
  /** When the lifecycle lets in, without what lies outside of the person's own time. */
  active: [from: number, until: Micros][] | null;
  grants: [role: string, unit: string, from: number, until: Micros][] | null;
  /** Touching memberships are one span, as in effective.ts. */
  spans: [group: string, since: number, until: Micros][] | null;
}

// As a double, which is exact to the microsecond for a century and several times as fast as `extract`.
const MICROS = (time: string) => `(date_part('epoch', ${time}) * 1000000)::bigint`;
/** What is believed now and has not ended before $1, the instant from which on the snapshot can be asked. */
const OPEN = (table: string) => `${table}.recorded_to is null and (${table}.valid_to is null or ${table}.valid_to > $1::timestamptz)`;
const PERIOD = (table: string) => `${MICROS(`${table}.valid_from`)} as from, ${MICROS(`${table}.valid_to`)} as until`;

export async function readUnits(sql: Sql, { since }: { since: Date }): Promise<UnitRows> {
  const { rows: units } = await sql.query<UnitRow>(`select id, lower(code::text) as code, ${MICROS("deleted_at")} as deleted from units`);
  const { rows: placements } = await sql.query<EdgeRow>(
    `select p.unit_id as child, p.parent_id as parent, ${PERIOD("p")} from unit_placements p where p.parent_id is not null and ${OPEN("p")}`,
    [since],
  );
  return { units, placements };
}

export async function readRoles(sql: Sql, { since }: { since: Date }): Promise<RoleRows> {
  const { rows: roles } = await sql.query<RoleRows["roles"][number]>(`select id, ${MICROS("deleted_at")} as deleted from roles`);
  const { rows: permissions } = await sql.query<EdgeRow>(
    `select p.role_id as child, p.permission_key as parent, ${PERIOD("p")} from role_permissions p where ${OPEN("p")}`,
    [since],
  );
  const { rows: parents } = await sql.query<EdgeRow>(
    `select p.role_id as child, p.parent_role_id as parent, ${PERIOD("p")} from role_parents p where ${OPEN("p")}`,
    [since],
  );
  return { roles, permissions, parents };
}

/** Groups with where they are nested and what they are granted; all of them without ids. */
export async function readGroups(sql: Sql, { since, ids = null }: { since: Date; ids?: readonly string[] | null }): Promise<GroupRows> {
  const { rows: groups } = await sql.query<GroupRows["groups"][number]>(
    `select id, ${MICROS("deleted_at")} as deleted from groups where $1::uuid[] is null or id = any($1)`,
    [ids],
  );
  const { rows: nestings } = await sql.query<EdgeRow>(
    `select n.child_group_id as child, n.parent_group_id as parent, ${PERIOD("n")} from nestings n
     where ($2::uuid[] is null or n.child_group_id = any($2)) and ${OPEN("n")}`,
    [since, ids],
  );
  const { rows: grants } = await sql.query<GroupGrantRow>(
    `select g.group_id as group, g.role_id as role, g.unit_id as unit, ${PERIOD("g")}, g.expires_after_seconds as seconds from grants g
     where g.group_id is not null and ($2::uuid[] is null or g.group_id = any($2)) and ${OPEN("g")}`,
    [since, ids],
  );
  return { read: ids, groups, nestings, grants };
}

const TIMES = (table: string) => `${MICROS(`${table}.valid_from`)}, ${MICROS(`${table}.valid_to`)}`;

/** What is taken from the time in which somebody is active. */
const AWAY = (table: string) =>
  `coalesce((select range_agg(away.valid) from ${table} away where away.person_id = who.id and ${OPEN("away")}), '{}'::tstzmultirange)`;

const PEOPLE = `
  select who.id,
    (select lower(p.user_name::text) from people p where p.id = who.id and p.state <> 'deleted') as name,
    (select json_agg(json_build_array(${MICROS("lower(span)")}, ${MICROS("upper(span)")})) from unnest(
      (select range_agg(l.valid) from lifecycle_periods l where l.person_id = who.id and l.state = 'active' and ${OPEN("l")})
      - ${AWAY("person_expiries")} - ${AWAY("employment_absences")}) span) as active,
    (select json_agg(json_build_array(g.role_id, g.unit_id, ${TIMES("g")})) from grants g where g.person_id = who.id and ${OPEN("g")}) as grants,
    (select json_agg(json_build_array(spans.group_id, ${MICROS("lower(span)")}, ${MICROS("upper(span)")}))
      from (select m.group_id, range_agg(m.valid) as ranges from believed_memberships m where m.person_id = who.id group by m.group_id) spans
      cross join lateral unnest(spans.ranges) span where upper(span) is null or upper(span) > $1::timestamptz) as spans`;

/** These people, whether they are there or not. */
export async function readPeople(sql: Sql, { since, ids }: { since: Date; ids: readonly string[] }): Promise<PersonRow[]> {
  const { rows } = await sql.query<PersonRow>(`${PEOPLE} from unnest($2::uuid[]) who (id)`, [since, ids]);
  return rows;
}

/** The next people in the order of their ids. */
export async function readPeopleAfter(
  sql: Sql,
  { since, after, limit }: { since: Date; after: string | null; limit: number },
): Promise<PersonRow[]> {
  const { rows } = await sql.query<PersonRow>(
    `${PEOPLE} from (select id from people where $2::uuid is null or id > $2 order by id limit $3) who order by who.id`,
    [since, after, limit],
  );
  return rows;
}
