import type { Sql } from "../db/database.ts";
import type { RoleSet } from "./role-files.ts";

export interface ModuleView {
  key: string;
  title: string;
  /** Its predefined roles are there. */
  installed: boolean;
  /** What comes with it. */
  roles: { key: string; name: string; description: string }[];
  permissions: number;
}

/** The modules that there are files of, and whether they are installed: then their predefined roles are there. */
export async function listModules(sql: Sql, sets: readonly RoleSet[]): Promise<ModuleView[]> {
  const installed = await installedModules(sql);
  return sets.map(({ module, title, roles, permissions }) => ({
    key: module,
    title,
    installed: installed.has(module),
    roles: roles.map(({ key, name, description }) => ({ key, name, description })),
    permissions: permissions.length,
  }));
}

async function installedModules(sql: Sql): Promise<Set<string>> {
  const { rows } = await sql.query<{ set: string }>("select distinct set from roles where predefined and deleted_at is null");
  return new Set(rows.map(({ set }) => set));
}

export interface ModulePermissions {
  module: string;
  installed: boolean;
  resources: { resource: string; permissions: { key: string; action: string; description: string }[] }[];
}

const PERMISSIONS = `
  select module, json_agg(json_build_object('resource', resource, 'permissions', permissions) order by resource) as resources
  from (
    select module, resource, json_agg(json_build_object('key', key, 'action', action, 'description', description) order by action) as permissions
    from permissions group by module, resource
  ) each group by module order by module`;

/** The catalogue of permissions, resource × action, by module (A1). */
export async function listPermissions(sql: Sql): Promise<ModulePermissions[]> {
  const installed = await installedModules(sql);
  const { rows } = await sql.query<Omit<ModulePermissions, "installed">>(PERMISSIONS);
  return rows.map(({ module, resources }) => ({ module, installed: installed.has(module), resources }));
}
