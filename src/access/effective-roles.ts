import { withinOwnTime } from "../directory/own-time.ts";

const OPEN = (alias: string) => `${alias}.recorded_to is null`;

/**
 * SQL of the grants that give a person access, for use inside a larger statement: role_id, unit_id, via (`direct`,
 * `group`), ends_at (null: never). `person` is SQL of the id, `at` of the instant. The same derivation as effectiveAccess,
 * without the units below: who asks for one permission on one unit asks that.
 */
export function heldRolesSql({ person, at }: { person: string; at: string }): string {
  return `
  with recursive person_groups (group_id, since) as (
    select spans.group_id, lower(span)
    from (select m.group_id, range_agg(m.valid) as ranges from believed_memberships m where m.person_id = ${person} group by m.group_id) spans
    cross join lateral unnest(spans.ranges) span where span @> ${at}
    union
    select n.parent_group_id, person_groups.since
    from person_groups join nestings n on n.child_group_id = person_groups.group_id and n.valid @> ${at} and ${OPEN("n")}
  ), held as (
    select g.role_id, g.unit_id, 'direct' as via, g.valid_to as ends_at
    from grants g where g.person_id = ${person} and g.valid @> ${at} and ${OPEN("g")}
    union all
    select g.role_id, g.unit_id, 'group', least(g.valid_to, person_groups.since + make_interval(secs => g.expires_after_seconds))
    from person_groups join groups on groups.id = person_groups.group_id and groups.deleted_at is null
    join grants g on g.group_id = person_groups.group_id and g.valid @> ${at} and ${OPEN("g")}
    where g.expires_after_seconds is null or person_groups.since + make_interval(secs => g.expires_after_seconds) > ${at}
  )
  select held.role_id, held.unit_id, case when bool_or(held.via = 'direct') then 'direct' else 'group' end as via,
    case when bool_or(held.ends_at is null) then null else max(held.ends_at) end as ends_at
  from held
  where exists (select from lifecycle_periods l where l.person_id = ${person} and l.state = 'active' and l.valid @> ${at} and ${OPEN("l")})
    and ${withinOwnTime({ person, at })}
  group by held.role_id, held.unit_id`;
}
