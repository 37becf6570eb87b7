import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";

export interface FoundGroup {
  id: string;
  displayName: string;
  originId: number | null;
  version: number;
}

/** As PostgreSQL writes an id, in whatever case. */
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** The group of this id or display name. Throws `not_found`, or `conflict` when several have the name. */
export async function findGroup(sql: Sql, key: string): Promise<FoundGroup> {
  // As an id it is looked up by the index of ids, as a name by that of names: nobody walks through all groups.
  const { rows } = await sql.query<FoundGroup>({
    name: "group-found",
    text: `select id, display_name as "displayName", origin_id as "originId", version from groups
     where deleted_at is null and (id = $2::uuid or display_name = $1::citext) order by id is not distinct from $2::uuid desc limit 2`,
    values: [key, UUID.test(key) ? key : null],
  });
  const [group, second] = rows;
  if (!group) throw new AppError("not_found", `There is no group named ${key}.`, { field: "group" });
  if (second && group.id !== key.toLowerCase())
    throw new AppError("conflict", `More than one group is named ${key}; use its id.`, { field: "group" });
  return group;
}

const CLOSURE_UP = `
  with recursive above (group_id) as (
    select unnest($1::uuid[])
    union
    select n.parent_group_id from above join nestings n on n.child_group_id = above.group_id and n.recorded_to is null and n.valid @> $2::timestamptz
  )
  select group_id from above`;

const CLOSURE_DOWN = `
  with recursive below (group_id) as (
    select unnest($1::uuid[])
    union
    select n.child_group_id from below join nestings n on n.parent_group_id = below.group_id and n.recorded_to is null and n.valid @> $2::timestamptz
  )`;

/** These groups and all that they stand in, over any depth; safe with groups nested in a circle. */
export async function groupsAbove(sql: Sql, { groupIds, at }: { groupIds: readonly string[]; at: Date }): Promise<string[]> {
  const { rows } = await sql.query<{ group_id: string }>(CLOSURE_UP, [groupIds, at]);
  return rows.map((row) => row.group_id);
}

/** These groups and all that stand in them, over any depth; safe with groups nested in a circle. */
export async function groupsBelow(sql: Sql, { groupIds, at }: { groupIds: readonly string[]; at: Date }): Promise<string[]> {
  const { rows } = await sql.query<{ group_id: string }>(`${CLOSURE_DOWN} select group_id from below`, [groupIds, at]);
  return rows.map((row) => row.group_id);
}

const MEMBERS = `${CLOSURE_DOWN}
  select distinct m.person_id from below cross join lateral (select * from believed_memberships m where m.group_id = below.group_id
    and m.valid @> $2::timestamptz and ($3::uuid is null or m.person_id > $3) offset 0) m
  order by m.person_id limit $4`;

/** Members in effect at an instant, nested groups included, in pages by person id: a group may hold a whole company. */
export async function* membersInEffect(
  sql: Sql,
  { groupIds, at, pageSize = 5000 }: { groupIds: readonly string[]; at: Date; pageSize?: number },
): AsyncGenerator<string[]> {
  if (groupIds.length === 0) return;
  let after: string | null = null;
  for (;;) {
    const { rows }: { rows: { person_id: string }[] } = await sql.query<{ person_id: string }>(MEMBERS, [groupIds, at, after, pageSize]);
    const page = rows.map((row) => row.person_id);
    if (page.length > 0) yield page;
    if (page.length < pageSize) return;
    after = page.at(-1) ?? null;
  }
}

export interface PersonGroup {
  personId: string;
  groupId: string;
  displayName: string;
  /** A member of the group itself, not only through another. */
  direct: boolean;
}

const GROUPS_OF_PEOPLE = `
  with recursive held (person_id, group_id, direct) as (
    select m.person_id, m.group_id, true from believed_memberships m
    where m.person_id = any($1::uuid[]) and m.valid @> $2::timestamptz
    union
    select held.person_id, n.parent_group_id, false from held join nestings n on n.child_group_id = held.group_id and n.recorded_to is null and n.valid @> $2::timestamptz
  )
  select held.person_id as "personId", held.group_id as "groupId", groups.display_name as "displayName", bool_or(held.direct) as direct
  from held join groups on groups.id = held.group_id and (groups.deleted_at is null or groups.deleted_at > $2)
  group by 1, 2, 3 order by 1, 3`;

/** Groups of people at an instant, those that they are in through other groups included. */
export async function groupsOfPeople(sql: Sql, { personIds, at }: { personIds: readonly string[]; at: Date }): Promise<PersonGroup[]> {
  const { rows } = await sql.query<PersonGroup>(GROUPS_OF_PEOPLE, [personIds, at]);
  return rows;
}
