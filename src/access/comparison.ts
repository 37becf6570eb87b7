import type { Sql } from "../db/database.ts";

export interface ComparedRole {
  key: string;
  name: string;
  set: string;
  /** Own permissions, by key. */
  permissions: readonly string[];
  /** Keys of roles that it inherits. */
  inherits: readonly string[];
}

export interface ComparedPermission {
  key: string;
  module: string;
  resource: string;
  action: string;
  description: string;
}

/** A role has a permission itself, through another role, or not. */
export type Cell = "own" | "inherited" | "none";

export interface RoleComparison {
  roles: readonly { key: string; name: string; set: string }[];
  rows: readonly { permission: ComparedPermission; cells: Readonly<Record<string, Cell>> }[];
}

/** All roles by permission (A3): pure, and safe with roles that inherit in a circle. */
export function compareRoles({
  roles,
  permissions,
}: {
  roles: readonly ComparedRole[];
  permissions: readonly ComparedPermission[];
}): RoleComparison {
  const byKey = new Map(roles.map((role) => [role.key, role]));
  const own = new Map(roles.map((role) => [role.key, new Set(role.permissions)]));
  const inherited = new Map(roles.map((role) => [role.key, inheritedBy(role, byKey)]));
  const cell = (role: ComparedRole, permission: string): Cell =>
    own.get(role.key)?.has(permission) ? "own" : inherited.get(role.key)?.has(permission) ? "inherited" : "none";
  return {
    roles: roles.map(({ key, name, set }) => ({ key, name, set })),
    rows: permissions.map((permission) => ({
      permission,
      cells: Object.fromEntries(roles.map((role) => [role.key, cell(role, permission.key)])),
    })),
  };
}

function inheritedBy(role: ComparedRole, byKey: ReadonlyMap<string, ComparedRole>): Set<string> {
  const found = new Set<string>();
  const seen = new Set([role.key]);
  const waiting = [...role.inherits];
  for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
    const parent = byKey.get(key);
    if (!parent || seen.has(key)) continue;
    seen.add(key);
    for (const permission of parent.permissions) found.add(permission);
    waiting.push(...parent.inherits);
  }
  return found;
}

/** The comparison of the roles that exist now. */
export async function readRoleComparison(sql: Sql): Promise<RoleComparison> {
  const { rows: roles } = await sql.query<ComparedRole>(
    `select key, name, set,
       array(select permission_key from role_permissions where role_id = roles.id and recorded_to is null and valid_to is null order by permission_key) as permissions,
       array(select parents.key from role_parents join roles parents on parents.id = parent_role_id
         where role_id = roles.id and recorded_to is null and valid_to is null order by parents.key) as inherits
     from roles where deleted_at is null order by predefined desc, set, created_at, name`,
  );
  const { rows: permissions } = await sql.query<ComparedPermission>(
    `select key, module, resource, action, description from permissions
     where exists (select from role_permissions where permission_key = key and recorded_to is null and valid_to is null) order by key`,
  );
  return compareRoles({ roles, permissions });
}
