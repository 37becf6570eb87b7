import type { Sql } from "../db/database.ts";

/**
 * SQL of what the person ($1) holds or will hold from $2 on, whatever their state: somebody invited or suspended holds nothing today,
 * and all of this on the day they may come in. Units are where grants stand; each covers what is below it.
 */
const COMING_RIGHTS = `
  with recursive person_groups (group_id) as (
    select m.group_id from believed_memberships m where m.person_id = $1 and (m.valid_to is null or m.valid_to > $2)
    union
    select n.parent_group_id from person_groups join nestings n on n.child_group_id = person_groups.group_id
      and n.recorded_to is null and (n.valid_to is null or n.valid_to > $2)
  ), held as (
    select g.role_id, g.unit_id, g.valid_to from grants g where g.person_id = $1 and g.recorded_to is null and (g.valid_to is null or g.valid_to > $2)
    union
    select g.role_id, g.unit_id, g.valid_to from person_groups join grants g using (group_id) where g.recorded_to is null and (g.valid_to is null or g.valid_to > $2)
  ), inherited (role_id, permission_role_id) as (
    select distinct role_id, role_id from held
    union
    select inherited.role_id, p.parent_role_id from inherited join role_parents p on p.role_id = inherited.permission_role_id
      and p.recorded_to is null and (p.valid_to is null or p.valid_to > $2)
  )
  select content.permission_key as permission, units.path::text, nullif(max(coalesce(held.valid_to, 'infinity')), 'infinity') as until
  from held join roles on roles.id = held.role_id and roles.deleted_at is null
  join units on units.id = held.unit_id and units.deleted_at is null
  join inherited on inherited.role_id = held.role_id
  join role_permissions content on content.role_id = inherited.permission_role_id
    and content.recorded_to is null and (content.valid_to is null or content.valid_to > $2)
  group by 1, 2`;

export interface ComingRight {
  /** Permission key, of whatever module. */
  permission: string;
  /** ltree path of the unit where the grant stands. */
  path: string;
  /** When the last grant that gives it there ends; null = never. A member's own time in a group may end before. */
  until: Date | null;
}

/** Pure: those of the permissions that nobody with these rights holds on the unit of this path for so long; `until` null = for good. */
export function endingBefore(
  until: Date | null,
  { permissions, rights, path }: { permissions: readonly string[]; rights: readonly ComingRight[]; path: string },
): string[] {
  const lasting = rights.filter(
    (right) =>
      (path === right.path || path.startsWith(`${right.path}.`)) && (right.until === null || (until !== null && right.until >= until)),
  );
  return permissions.filter((key) => !lasting.some(({ permission }) => permission === key));
}

/** What somebody holds at this instant or will hold by what was decided already, whatever their state. */
export async function comingRights(sql: Sql, { personId, at }: { personId: string; at: Date }): Promise<ComingRight[]> {
  const { rows } = await sql.query<ComingRight>(COMING_RIGHTS, [personId, at]);
  return rows;
}
