import type { Sql } from "../db/database.ts";
import { withinOwnTime } from "../directory/own-time.ts";
import type { HeldRoleOnUnit, PreviewWorld } from "./preview-difference.ts";

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

export interface HeldByRule extends HeldRoleOnUnit {
  ruleId: string | null;
}

const HELD = `
  with recursive asked as materialized (
    select p.id from people p where p.id = any($1::uuid[])
      and exists (select from lifecycle_periods l where l.person_id = p.id and l.state = 'active' and l.valid @> $2::timestamptz and l.recorded_to is null)
      and ${withinOwnTime({ person: "p.id", at: "$2::timestamptz" })}
  ), member_of (person_id, group_id, since) as (
    select spans.person_id, spans.group_id, lower(span)
    from (select m.person_id, m.group_id, range_agg(m.valid) as ranges from asked join memberships m on m.person_id = asked.id and m.recorded_to is null group by 1, 2) spans
    cross join lateral unnest(spans.ranges) span where span @> $2::timestamptz
    union
    select member_of.person_id, n.parent_group_id, member_of.since
    from member_of join nestings n on n.child_group_id = member_of.group_id and n.recorded_to is null and n.valid @> $2::timestamptz
  ), held as (
    select g.person_id, g.role_id, g.unit_id, g.rule_id from asked join grants g on g.person_id = asked.id and g.recorded_to is null and g.valid @> $2::timestamptz
    union
    select member_of.person_id, g.role_id, g.unit_id, g.rule_id from member_of
    join groups on groups.id = member_of.group_id and (groups.deleted_at is null or groups.deleted_at > $2)
    join grants g on g.group_id = member_of.group_id and g.recorded_to is null and g.valid @> $2::timestamptz
    where g.expires_after_seconds is null or member_of.since + make_interval(secs => g.expires_after_seconds) > $2
  )
  select asked.id as "personId", held.role_id as "roleId", held.unit_id as "unitId", held.rule_id as "ruleId"
  from asked left join (held join roles on roles.id = held.role_id and (roles.deleted_at is null or roles.deleted_at > $2)) on held.person_id = asked.id`;

/** What the active ones of these people hold at an instant, as roles on units; of those who hold nothing, an empty list. */
export async function loadHeld(
  sql: Sql,
  { personIds, at }: { personIds: readonly string[]; at: Date },
): Promise<Map<string, HeldByRule[]>> {
  const { rows } = await sql.query<{ personId: string; roleId: string | null; unitId: string; ruleId: string | null }>(HELD, [
    personIds,
    at,
  ]);
  const held = new Map<string, HeldByRule[]>();
  for (const { personId, roleId, unitId, ruleId } of rows) {
    let known = held.get(personId);
    if (!known) held.set(personId, (known = []));
    if (roleId !== null) known.push({ roleId, unitId, ruleId });
  }
  return held;
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
  union select m.person_id from below join memberships m on m.group_id = below.group_id and m.recorded_to is null and m.valid @> $2::timestamptz`;

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
  from (select m.person_id, m.group_id, range_agg(m.valid) as ranges from below join memberships m on m.group_id = below.group_id and m.recorded_to is null group by 1, 2) spans
  cross join lateral unnest(spans.ranges) span where span @> $2::timestamptz group by 1`;

/** Who is in one of these groups, through others too, with the beginning of the newest such membership. */
export async function loadMembers(sql: Sql, { groupIds, at }: { groupIds: readonly string[]; at: Date }): Promise<Map<string, Date>> {
  const { rows } = await sql.query<{ personId: string; since: Date }>(MEMBERS, [groupIds, at]);
  return new Map(rows.map(({ personId, since }) => [personId, since]));
}
