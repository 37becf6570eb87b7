import type { AttributeObject } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import { withinOwnTime } from "../directory/own-time.ts";
import { COUNTS_FOR_RULES } from "./rules-on-roles.ts";
import { PROFILE_TEXTS, type PersonFacts } from "../expressions/environment.ts";

function profileOf(fields: ReadonlySet<string> | undefined): string {
  if (fields === undefined || fields.has("profile")) return "people.attributes";
  const names = new Set([...fields].flatMap((field) => (field === "email" ? "emails" : (PROFILE_TEXTS[field]?.[0] ?? []))));
  if (names.size === 0) return "'{}'::jsonb";
  return `jsonb_build_object(${[...names].map((name) => `'${name}', people.attributes->'${name}'`).join(", ")})`;
}

// Codes of units, names of groups (through other groups too), keys of roles held anywhere, all at $2.
const SPANS = `
    select spans.person_id, spans.group_id, lower(span)
    from (select m.person_id, m.group_id, range_agg(m.valid) as ranges from asked cross join lateral (select * from believed_memberships m where m.person_id = asked.id offset 0) m group by 1, 2) spans
    cross join lateral unnest(spans.ranges) span where span @> $2::timestamptz`;
// Since when is asked for by roles alone.
const MEMBERSHIPS = `
    select m.person_id, m.group_id, null::timestamptz from asked cross join lateral (select * from believed_memberships m where m.person_id = asked.id and m.valid @> $2::timestamptz offset 0) m`;
const memberOf = (first: string) => `member_of (person_id, group_id, since) as (${first}
    union
    select member_of.person_id, n.parent_group_id, member_of.since
    from member_of join nestings n on n.child_group_id = member_of.group_id and n.recorded_to is null and n.valid @> $2::timestamptz
  )`;
const GROUPED = `grouped as (
    select member_of.person_id, array_agg(distinct g.display_name::text) as names
    from member_of join groups g on g.id = member_of.group_id and g.deleted_at is null group by 1
  )`;
const roled = (counts: string) => `held as (
    select g.person_id, g.role_id from asked join grants g on g.person_id = asked.id and g.recorded_to is null and g.valid @> $2::timestamptz and ${counts}
    union
    select member_of.person_id, g.role_id from member_of join grants g on g.group_id = member_of.group_id and g.recorded_to is null and g.valid @> $2::timestamptz and ${counts}
    where g.expires_after_seconds is null or member_of.since + make_interval(secs => g.expires_after_seconds) > $2
  ), roled as (
    select held.person_id, array_agg(distinct roles.key) as keys from held join roles on roles.id = held.role_id and roles.deleted_at is null group by 1
  )`;
const PLACED = `placed as (
    select p.person_id, array_agg(distinct coalesce(units.code, units.name)::text) as codes
    from asked join person_units p on p.person_id = asked.id and p.recorded_to is null and p.valid @> $2::timestamptz join units on units.id = p.unit_id group by 1
  )`;

/** Which grants make roles: all, or those that count for rules. */
const counting = (roles: RolesAsked | undefined) =>
  roles === undefined ? "true" : `${COUNTS_FOR_RULES("g")} and ($3::uuid is null or g.rule_id is distinct from $3)`;

function statement(fields: ReadonlySet<string> | undefined, roles: RolesAsked | undefined): string {
  const is = (field: string) => fields === undefined || fields.has(field);
  const lists = [
    { field: "units", name: "placed", values: "codes", text: PLACED },
    { field: "groups", name: "grouped", values: "names", text: GROUPED },
    { field: "roles", name: "roled", values: "keys", text: roled(counting(roles)) },
  ].map((list) => ({ ...list, asked: is(list.field) }));
  const wanted = lists.filter(({ asked }) => asked);
  return `
  with recursive asked as materialized (
    select id, active, state, origin_id, manager_id, ${profileOf(fields)} as attributes, ${is("custom") ? "custom" : "'{}'::jsonb"} as custom
    from people where id = any($1::uuid[])
  )${[...(is("groups") || is("roles") ? [memberOf(is("roles") ? SPANS : MEMBERSHIPS)] : []), ...wanted.map(({ text }) => text)].map((each) => `, ${each}`).join("")}
  select asked.id, asked.attributes, asked.custom, asked.active and timely.is as active,
    case when asked.active and not timely.is then 'suspended' else asked.state end as state, connections.name as origin, asked.manager_id as "managerId",
    ${lists.map(({ asked, field, name, values }) => (asked ? `coalesce(${name}.${values}, '{}') as ${field}` : `'{}'::text[] as ${field}`)).join(", ")}
  from asked
  cross join lateral (select ${withinOwnTime({ person: "asked.id", at: "$2::timestamptz" })} as is) timely
  left join connections on connections.id = asked.origin_id
  ${wanted.map(({ name }) => `left join ${name} on ${name}.person_id = asked.id`).join("\n  ")}`;
}

export interface FactsQuestion {
  personIds: readonly string[];
  at: Date;
  /** Only these fields of PERSON_FIELDS are filled, besides id, active and state; all when absent. */
  fields?: ReadonlySet<string> | undefined;
  /** For conditions of rules. All roles are there when absent. */
  rolesForRules?: RolesAsked | undefined;
}

/** Roles as a condition of a rule may see them: without what rules give that ask for roles themselves. */
export interface RolesAsked {
  /** Nor what this rule gives: it asks for roles once it is saved. */
  besides?: string | null | undefined;
}

/**
 * What expressions may ask of people, for many at once. People that are not there are left out. Whose own time is over is not active,
 * before the job has come that says so; suspended until it says more, because who is only late must not be deleted anywhere.
 */
export async function loadPersonFacts(
  sql: Sql,
  { personIds, at, fields, rolesForRules }: FactsQuestion,
): Promise<(PersonFacts & { attributes: AttributeObject })[]> {
  if (personIds.length === 0) return [];
  const counted = rolesForRules && (fields === undefined || fields.has("roles")) ? rolesForRules : undefined;
  const { rows } = await sql.query<PersonFacts>(statement(fields, counted), [personIds, at, ...(counted ? [counted.besides ?? null] : [])]);
  return rows;
}
