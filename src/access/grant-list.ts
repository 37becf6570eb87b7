import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { OUT_OF_REACH, reachedPeople, reachedUnits, type Condition, type Reach } from "./policy.ts";

export interface GrantLine {
  id: string;
  person: { id: string; userName: string; displayName: string | null } | null;
  group: { id: string; displayName: string } | null;
  role: { id: string; key: string; name: string };
  unit: { id: string; name: string; code: string | null };
  from: Date;
  until: Date | null;
  /** For a group: each member's access ends so long after their membership began. */
  expiresAfterSeconds: number | null;
  source: string;
  rule: string | null;
  reason: string;
  grantedBy: string;
  state: "future" | "current" | "past";
  /** Its holder is not active: it gives nothing until they are. */
  suspended: boolean;
  /** Number of what is believed of it now: a change supersedes it. */
  version: number;
}

const LINE = `
  select g.grant_id as id, g.id as version,
    case when p.id is null then null else json_build_object('id', p.id, 'userName', p.user_name, 'displayName', p.display_name) end as person,
    case when gr.id is null then null else json_build_object('id', gr.id, 'displayName', gr.display_name) end as "group",
    json_build_object('id', r.id, 'key', r.key, 'name', r.name) as role, json_build_object('id', u.id, 'name', u.name, 'code', u.code) as unit,
    g.valid_from as from, g.valid_to as until, g.expires_after_seconds as "expiresAfterSeconds", g.source, rules.name as rule, g.reason, g.granted_by as "grantedBy",
    case when g.valid_from > $1 then 'future' when g.valid_to <= $1 then 'past' else 'current' end as state,
    p.id is not null and p.state <> 'active' as suspended
  from grants g join roles r on r.id = g.role_id join units u on u.id = g.unit_id
    left join people p on p.id = g.person_id left join groups gr on gr.id = g.group_id left join rules on rules.id = g.rule_id
  where g.recorded_to is null`;

/** Grants on units in reach, and those of people in reach: oneself, and one's team. Parameters are numbered on from `from`. */
function reachedGrants(reach: Reach, { from }: { from: number }): Condition {
  const units = reachedUnits(reach, { unit: "u", from });
  const people = reachedPeople(reach, { person: "p", from: from + units.values.length });
  return { text: `(${units.text} or (p.id is not null and ${people.text}))`, values: [...units.values, ...people.values] };
}

export interface GrantListOptions {
  reach: Reach;
  at: Date;
  limit: number;
  /** Version of the last one of the page before. */
  after?: number | undefined;
  personId?: string | undefined;
  groupId?: string | undefined;
  unitId?: string | undefined;
  /** Those on units below too. */
  below?: boolean | undefined;
  role?: string | undefined;
  source?: string | undefined;
  state?: "future" | "current" | "past" | undefined;
}

/** Grants, the latest change first. */
export async function listGrants(sql: Sql, options: GrantListOptions): Promise<GrantLine[]> {
  const { reach, at, limit, after, personId, groupId, unitId, below, role, source, state } = options;
  const values: unknown[] = [at];
  const add = (value: unknown) => `$${values.push(value)}`;
  const conditions = [
    ...(after === undefined ? [] : [`g.id < ${add(after)}`]),
    ...(personId === undefined ? [] : [`g.person_id = ${add(personId)}`]),
    ...(groupId === undefined ? [] : [`g.group_id = ${add(groupId)}`]),
    ...(unitId === undefined
      ? []
      : below
        ? [`u.path operator(public.<@) (select path from units where id = ${add(unitId)})`]
        : [`g.unit_id = ${add(unitId)}`]),
    ...(role === undefined ? [] : [`r.key = ${add(role)}`]),
    ...(source === undefined ? [] : [`g.source = ${add(source)}`]),
    ...(state === undefined ? [] : [STATES[state]]),
  ];
  const within = reachedGrants(reach, { from: values.length + 1 });
  values.push(...within.values);
  const { rows } = await sql.query<GrantLine>(
    `${LINE} and ${[...conditions, within.text].join(" and ")} order by g.id desc limit ${add(limit)}`,
    values,
  );
  return rows;
}

const STATES = {
  future: "g.valid_from > $1",
  current: "g.valid_from <= $1 and (g.valid_to is null or g.valid_to > $1)",
  past: "g.valid_to <= $1",
} as const;

/** One grant, if it is in reach. Throws `not_found`. */
export async function readGrant(sql: Sql, { grantId, reach, at }: { grantId: string; reach: Reach; at: Date }): Promise<GrantLine> {
  const within = reachedGrants(reach, { from: 3 });
  const { rows } = await sql.query<GrantLine>(`${LINE} and g.grant_id = $2 and ${within.text} order by g.id desc limit 1`, [
    at,
    grantId,
    ...within.values,
  ]);
  const [grant] = rows;
  if (!grant) throw new AppError("not_found", `There is no grant ${grantId}.`, { field: "grant", cause: OUT_OF_REACH });
  return grant;
}
