import type { Sql, Work } from "../db/database.ts";

/** Keeps what these roles hold now, as the version that they are at, in the caller's transaction; a version that is kept already stays. */
export async function keepRoleVersions({ ctx, sql }: Work, roleIds: readonly string[]): Promise<void> {
  if (roleIds.length === 0) return;
  await sql.query(
    `insert into role_versions (role_id, version, at, actor, name, description, permissions, inherits, deleted)
     select r.id, r.version, $2, $3, r.name, r.description,
       array(select permission_key from role_permissions where role_id = r.id and recorded_to is null and valid_to is null order by 1),
       array(select parents.key from role_parents p join roles parents on parents.id = p.parent_role_id where p.role_id = r.id and p.recorded_to is null and p.valid_to is null order by 1),
       r.deleted_at is not null
     from roles r where r.id = any($1::uuid[]) on conflict do nothing`,
    [roleIds, ctx.now(), ctx.actor],
  );
}

export interface RoleState {
  name: string;
  description: string;
  permissions: readonly string[];
  /** Keys of the roles that it inherits. */
  inherits: readonly string[];
  deleted: boolean;
}

export interface RoleVersion extends RoleState {
  permissions: string[];
  inherits: string[];
  version: number;
  at: Date;
  actor: string;
}

/** What a version changed. */
export interface RoleDifference {
  permissions: { added: string[]; removed: string[] };
  inherits: { added: string[]; removed: string[] };
  /** Of name, description and deleted, those that are other than before. */
  changed: string[];
}

/** Pure: from one state of a role to the next; from nothing for its first. */
export function roleDifference(before: RoleState | undefined, after: RoleState): RoleDifference {
  return {
    permissions: setDifference(before?.permissions ?? [], after.permissions),
    inherits: setDifference(before?.inherits ?? [], after.inherits),
    changed: before === undefined ? [] : (["name", "description", "deleted"] as const).filter((key) => before[key] !== after[key]),
  };
}

function setDifference(before: readonly string[], after: readonly string[]): { added: string[]; removed: string[] } {
  return { added: after.filter((key) => !before.includes(key)), removed: before.filter((key) => !after.includes(key)) };
}

export interface RoleVersionsOptions {
  roleId: string;
  limit: number;
  /** Only versions below this one. */
  before?: number | undefined;
  /** Only the one that held at this instant, and those before it. */
  at?: Date | undefined;
}

/** A role's versions, the newest first, each with what it changed. */
export async function listRoleVersions(
  sql: Sql,
  { roleId, limit, before, at }: RoleVersionsOptions,
): Promise<(RoleVersion & { difference: RoleDifference })[]> {
  const { rows } = await sql.query<RoleVersion>(
    `select version, at, actor, name, description, permissions, inherits, deleted from role_versions
     where role_id = $1 and ($2::int is null or version < $2) and ($3::timestamptz is null or at <= $3) order by version desc limit $4`,
    [roleId, before ?? null, at ?? null, limit + 1],
  );
  return rows.slice(0, limit).map((row, index) => ({ ...row, difference: roleDifference(rows[index + 1], row) }));
}
