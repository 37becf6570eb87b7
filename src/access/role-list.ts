import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";

export interface RoleView {
  id: string;
  key: string;
  name: string;
  /** The module that it comes with; custom for an organisation's own. */
  set: string;
  description: string;
  predefined: boolean;
  /** Its own permissions, by key. */
  permissions: string[];
  /** Keys of the roles that it inherits. */
  inherits: string[];
  /** Everything that it gives: its own permissions and inherited ones. */
  effective: string[];
  /** Grants that hold now or begin later. */
  grants: number;
  version: number;
  createdAt: Date;
  modifiedAt: Date;
}

const VIEW = `
  select r.id, r.key, r.name, r.set, r.description, r.predefined, r.version, r.created_at as "createdAt", r.modified_at as "modifiedAt",
    array(select permission_key from role_permissions where role_id = r.id and recorded_to is null and valid_to is null order by 1) as permissions,
    array(select parents.key from role_parents p join roles parents on parents.id = p.parent_role_id where p.role_id = r.id and p.recorded_to is null and p.valid_to is null order by 1) as inherits,
    array(with recursive held as (
        select r.id as role_id union
        select p.parent_role_id from held join role_parents p on p.role_id = held.role_id and p.recorded_to is null and p.valid_to is null
      ) select distinct permission_key from held join role_permissions using (role_id) where recorded_to is null and valid_to is null order by 1) as effective,
    (select count(*)::int from grants g where g.role_id = r.id and g.recorded_to is null and (g.valid_to is null or g.valid_to > $1)) as grants
  from roles r where r.deleted_at is null`;

export interface RoleListOptions {
  at: Date;
  limit: number;
  /** Key of the last one of the page before. */
  after?: string | undefined;
  /** Only of this module, or `custom`. */
  set?: string | undefined;
  text?: string | undefined;
}

/** Roles by key. */
export async function pageOfRoles(sql: Sql, { at, limit, after, set, text }: RoleListOptions): Promise<RoleView[]> {
  const { rows } = await sql.query<RoleView>(
    `${VIEW} and ($2::text is null or r.key > $2) and ($3::text is null or r.set = $3)
       and ($4::text is null or position(lower($4) in lower(r.key || ' ' || r.name)) > 0) order by r.key limit $5`,
    [at, after ?? null, set ?? null, text ?? null, limit],
  );
  return rows;
}

/** Throws `not_found`. */
export async function readRole(sql: Sql, { key, at }: { key: string; at: Date }): Promise<RoleView> {
  const { rows } = await sql.query<RoleView>(`${VIEW} and r.key = $2`, [at, key]);
  const [role] = rows;
  if (!role) throw new AppError("not_found", `There is no role with the key ${key}.`, { field: "role" });
  return role;
}
