import type { AttributeObject } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import { withinOwnTime } from "../directory/own-time.ts";
import type { PersonFacts } from "../expressions/environment.ts";

// Codes of units, names of groups (through other groups too), keys of roles held anywhere, all at $2.
const FACTS = `
  with recursive asked as materialized (
    select * from people where id = any($1::uuid[])
  ), member_of (person_id, group_id, since) as (
    select spans.person_id, spans.group_id, lower(span)
    from (select m.person_id, m.group_id, range_agg(m.valid) as ranges from asked join memberships m on m.person_id = asked.id and m.recorded_to is null group by 1, 2) spans
    cross join lateral unnest(spans.ranges) span where span @> $2::timestamptz
    union
    select member_of.person_id, n.parent_group_id, member_of.since
    from member_of join nestings n on n.child_group_id = member_of.group_id and n.recorded_to is null and n.valid @> $2::timestamptz
  ), grouped as (
    select member_of.person_id, array_agg(distinct g.display_name::text) as names
    from member_of join groups g on g.id = member_of.group_id and g.deleted_at is null group by 1
  ), held as (
    select g.person_id, g.role_id from asked join grants g on g.person_id = asked.id and g.recorded_to is null and g.valid @> $2::timestamptz
    union
    select member_of.person_id, g.role_id from member_of join grants g on g.group_id = member_of.group_id and g.recorded_to is null and g.valid @> $2::timestamptz
    where g.expires_after_seconds is null or member_of.since + make_interval(secs => g.expires_after_seconds) > $2
  ), roled as (
    select held.person_id, array_agg(distinct roles.key) as keys from held join roles on roles.id = held.role_id and roles.deleted_at is null group by 1
  ), placed as (
    select p.person_id, array_agg(distinct coalesce(units.code, units.name)::text) as codes
    from asked join person_units p on p.person_id = asked.id and p.recorded_to is null and p.valid @> $2::timestamptz join units on units.id = p.unit_id group by 1
  )
  select asked.id, asked.attributes, asked.custom, asked.active and timely.is as active,
    case when asked.active and not timely.is then 'suspended' else asked.state end as state, connections.name as origin, asked.manager_id as "managerId",
    coalesce(placed.codes, '{}') as units, coalesce(grouped.names, '{}') as groups, coalesce(roled.keys, '{}') as roles
  from asked
  cross join lateral (select ${withinOwnTime({ person: "asked.id", at: "$2::timestamptz" })} as is) timely
  left join connections on connections.id = asked.origin_id
  left join placed on placed.person_id = asked.id
  left join grouped on grouped.person_id = asked.id
  left join roled on roled.person_id = asked.id`;

/**
 * What expressions may ask of people, for many at once. People that are not there are left out. Whose own time is over is not active,
 * before the job has come that says so; suspended until it says more, because who is only late must not be deleted anywhere.
 */
export async function loadPersonFacts(
  sql: Sql,
  { personIds, at }: { personIds: readonly string[]; at: Date },
): Promise<(PersonFacts & { attributes: AttributeObject })[]> {
  if (personIds.length === 0) return [];
  const { rows } = await sql.query<PersonFacts>(FACTS, [personIds, at]);
  return rows;
}
