import type { Sql } from "../../db/database.ts";

/** Why somebody must have a second factor. */
export interface RequirementReason {
  id: string;
  kind: "role" | "unit" | "person";
}

/**
 * $1 the person, $2 the instant. Roles that are held through groups, and those that a held one inherits, count on whichever unit they are
 * held; a unit counts for all below it.
 */
const NEEDED = `
  with recursive person_groups (group_id, since) as (
    select spans.group_id, lower(span)
    from (select m.group_id, range_agg(m.valid) as ranges from believed_memberships m where m.person_id = $1 group by m.group_id) spans
    cross join lateral unnest(spans.ranges) span where span @> $2::timestamptz
    union
    select n.parent_group_id, person_groups.since
    from person_groups join nestings n on n.child_group_id = person_groups.group_id and n.valid @> $2::timestamptz and n.recorded_to is null
  ), held (role_id) as (
    select g.role_id from grants g where g.person_id = $1 and g.valid @> $2::timestamptz and g.recorded_to is null
    union
    select g.role_id from person_groups
    join groups on groups.id = person_groups.group_id and groups.deleted_at is null
    join grants g on g.group_id = person_groups.group_id and g.valid @> $2::timestamptz and g.recorded_to is null
    where g.expires_after_seconds is null or person_groups.since + make_interval(secs => g.expires_after_seconds) > $2
  ), inherited (role_id) as (
    select role_id from held
    union
    select p.parent_role_id from inherited join role_parents p on p.role_id = inherited.role_id and p.valid @> $2::timestamptz and p.recorded_to is null
  )
  select r.id, case when r.role_id is not null then 'role' when r.unit_id is not null then 'unit' else 'person' end as kind
  from factor_requirements r
  where r.person_id = $1
    or r.role_id in (select i.role_id from inherited i join roles on roles.id = i.role_id and roles.deleted_at is null)
    or r.unit_id in (
      select above.id from person_units pu join units u on u.id = pu.unit_id join units above on u.path operator(public.<@) above.path
      where pu.person_id = $1 and pu.valid @> $2::timestamptz and pu.recorded_to is null and above.deleted_at is null)
  order by kind, r.created_at, r.id`;

/** Everything by which somebody must have a second factor at that instant, in one statement. */
export async function factorRequirementsOf(sql: Sql, { personId, at }: { personId: string; at: Date }): Promise<RequirementReason[]> {
  const { rows } = await sql.query<RequirementReason>({ name: "factor-needed", text: NEEDED, values: [personId, at] });
  return rows;
}

/** Whether somebody must have a second factor: asked at each sign-in, so that a requirement acts from the next one on. */
export async function factorNeeded(sql: Sql, question: { personId: string; at: Date }): Promise<boolean> {
  return (await factorRequirementsOf(sql, question)).length > 0;
}

/** Whether somebody has a second factor, and whether they must have one. */
export interface FactorStanding {
  enrolled: boolean;
  needed: boolean;
}

/** The columns of a FactorStanding: $1 the person, $2 the instant. */
export const FACTOR_STANDING = `exists (select from factors where person_id = $1) as enrolled, exists (${NEEDED}) as needed`;

/** Both, in one statement. */
export async function factorStanding(sql: Sql, { personId, at }: { personId: string; at: Date }): Promise<FactorStanding> {
  const { rows } = await sql.query<FactorStanding>({ name: "factor-standing", text: `select ${FACTOR_STANDING}`, values: [personId, at] });
  if (!rows[0]) throw new Error("a select without a table answered nothing");
  return rows[0];
}
