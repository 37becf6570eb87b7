import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";

export interface GroupLine {
  id: string;
  displayName: string;
  /** Name of the connection that masters it; null = local. */
  origin: string | null;
  /** People who are in it themselves. */
  members: number;
  /** Groups that are in it. */
  groups: number;
  version: number;
  createdAt: Date;
  modifiedAt: Date;
}

const LINE = `
  select g.id, g.display_name::text as "displayName", c.name as origin, g.version, g.created_at as "createdAt", g.modified_at as "modifiedAt",
    (select count(distinct m.person_id) from memberships m where m.group_id = g.id and m.recorded_to is null and m.valid_to is null)::int as members,
    (select count(distinct n.child_group_id) from nestings n where n.parent_group_id = g.id and n.recorded_to is null and n.valid_to is null)::int as groups
  from groups g left join connections c on c.id = g.origin_id where g.deleted_at is null`;

export interface GroupListOptions {
  limit: number;
  /** Name and id of the last one of the page before. */
  after?: readonly [string, string] | undefined;
  text?: string | undefined;
  /** Name of a connection, or `local`. */
  origin?: string | undefined;
  /** Only groups that are in this one. */
  within?: string | undefined;
}

/** Groups by name. */
export async function listGroups(sql: Sql, { limit, after, text, origin, within }: GroupListOptions): Promise<GroupLine[]> {
  const { rows } = await sql.query<GroupLine>(
    `${LINE} and ($2::text is null or (g.display_name, g.id) > ($2::citext, $3::uuid))
       and ($4::text is null or position(lower($4) in lower(g.display_name::text)) > 0)
       and ($5::text is null or case when $5 = 'local' then c.id is null else c.name = $5 end)
       and ($6::uuid is null or g.id in (select child_group_id from nestings where parent_group_id = $6 and recorded_to is null and valid_to is null))
     order by g.display_name, g.id limit $1`,
    [limit, after?.[0] ?? null, after?.[1] ?? null, text ?? null, origin ?? null, within ?? null],
  );
  return rows;
}

/** Throws `not_found`. */
export async function readGroup(sql: Sql, id: string): Promise<GroupLine> {
  const { rows } = await sql.query<GroupLine>(`${LINE} and g.id = $1`, [id]);
  const [group] = rows;
  if (!group) throw new AppError("not_found", `There is no group ${id}.`, { field: "group" });
  return group;
}

export interface GroupMember {
  id: string;
  userName: string;
  displayName: string | null;
  state: string;
  since: Date;
}

export interface MemberListOptions {
  groupId: string;
  /** A condition on `p`, its parameters numbered from 5. */
  within: { text: string; values: unknown[] };
  limit: number;
  /** Login name and id of the last one of the page before. */
  after?: readonly [string, string] | undefined;
}

/** People who are in a group themselves, by login name. */
export async function listMembers(sql: Sql, { groupId, within, limit, after }: MemberListOptions): Promise<GroupMember[]> {
  const { rows } = await sql.query<GroupMember>(
    `select p.id, p.user_name::text as "userName", p.display_name as "displayName", p.state, min(m.valid_from) as since
     from memberships m join people p on p.id = m.person_id and p.state <> 'deleted'
     where m.group_id = $1 and m.recorded_to is null and m.valid_to is null
       and ($3::text is null or (lower(p.user_name::text), p.id) > (lower($3), $4::uuid)) and ${within.text}
     group by p.id order by lower(p.user_name::text), p.id limit $2`,
    [groupId, limit, after?.[0] ?? null, after?.[1] ?? null, ...within.values],
  );
  return rows;
}
