import type { Sql } from "../db/database.ts";
import type { PreviewWorld } from "./preview-difference.ts";

/** The tree and what each role holds, inherited permissions included. */
export async function loadWorld(sql: Sql, { at }: { at: Date }): Promise<PreviewWorld & { content: RoleContentNow }> {
  const { rows: units } = await sql.query<{ id: string; parentId: string | null; deleted: boolean }>(
    'select id, parent_id as "parentId", deleted_at is not null as deleted from units',
  );
  const { rows: own } = await sql.query<{ id: string; keys: string[]; parents: string[] }>(
    `select r.id,
       array(select permission_key from role_permissions c where c.role_id = r.id and c.recorded_to is null and c.valid @> $1::timestamptz) as keys,
       array(select parent_role_id::text from role_parents p where p.role_id = r.id and p.recorded_to is null and p.valid @> $1::timestamptz) as parents
     from roles r`,
    [at],
  );
  const content: RoleContentNow = new Map(own.map(({ id, keys, parents }) => [id, { permissions: keys, parentIds: parents }]));
  return {
    units: new Map(units.map(({ id, parentId }) => [id, parentId])),
    deleted: new Set(units.filter(({ deleted }) => deleted).map(({ id }) => id)),
    roles: closureOf(content),
    content,
  };
}

export type RoleContentNow = ReadonlyMap<string, { permissions: readonly string[]; parentIds: readonly string[] }>;

/** What each role holds with all that it inherits. Pure; a circle ends nowhere, and is walked once. */
export function closureOf(content: RoleContentNow): Map<string, Set<string>> {
  return new Map(
    [...content.keys()].map((id) => {
      const inherited = new Set([id]);
      for (const each of inherited) for (const parent of content.get(each)?.parentIds ?? []) inherited.add(parent);
      return [id, new Set([...inherited].flatMap((each) => content.get(each)?.permissions ?? []))];
    }),
  );
}

const BY = { roles: "role_id", units: "unit_id", rules: "rule_id" } as const;

const HOLDERS = (column: string) => `
  with recursive given as (
    select person_id, group_id from grants where ${column} = any($1::uuid[]) and recorded_to is null and valid @> $2::timestamptz
  ), below (group_id) as (
    select group_id from given where group_id is not null
    union select n.child_group_id from below join nestings n on n.parent_group_id = below.group_id and n.recorded_to is null and n.valid @> $2::timestamptz
  )
  select person_id as id from given where person_id is not null
  union select m.person_id from below cross join lateral (select * from believed_memberships m where m.group_id = below.group_id and m.valid @> $2::timestamptz offset 0) m`;

/** Whoever was given one of these roles, something on one of these units, or by one of these rules; through groups too. */
export async function loadHolders(sql: Sql, { by, ids, at }: { by: keyof typeof BY; ids: readonly string[]; at: Date }): Promise<string[]> {
  if (ids.length === 0) return [];
  return (await sql.query<{ id: string }>(HOLDERS(BY[by]), [ids, at])).rows.map(({ id }) => id);
}

const MEMBERS = `
  with recursive below (group_id) as (
    select unnest($1::uuid[])
    union select n.child_group_id from below join nestings n on n.parent_group_id = below.group_id and n.recorded_to is null and n.valid @> $2::timestamptz
  )
  select spans.person_id as "personId", max(lower(span)) as since
  from (select m.person_id, m.group_id, range_agg(m.valid) as ranges from below cross join lateral (select * from believed_memberships m where m.group_id = below.group_id offset 0) m group by 1, 2) spans
  cross join lateral unnest(spans.ranges) span where span @> $2::timestamptz group by 1`;

/** Who is in one of these groups, through others too, with the beginning of the newest such membership. */
export async function loadMembers(sql: Sql, { groupIds, at }: { groupIds: readonly string[]; at: Date }): Promise<Map<string, Date>> {
  const { rows } = await sql.query<{ personId: string; since: Date }>(MEMBERS, [groupIds, at]);
  return new Map(rows.map(({ personId, since }) => [personId, since]));
}

/** The roles that a rule has given and that are held still. */
export async function loadRolesOfRule(sql: Sql, { ruleId, at }: { ruleId: string; at: Date }): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    "select distinct role_id as id from grants where rule_id = $1 and recorded_to is null and valid @> $2::timestamptz",
    [ruleId, at],
  );
  return rows.map(({ id }) => id);
}
