import { randomUUID } from "node:crypto";
import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { settleRoleContent } from "./role-rows.ts";
import { keepRoleVersions } from "./role-versions.ts";

export interface Role {
  id: string;
  key: string;
  name: string;
  set: string;
  description: string;
  predefined: boolean;
  version: number;
}

export interface RoleInput {
  key: string;
  name: string;
  description?: string;
  /** Permission keys. */
  permissions?: readonly string[];
  /** Keys of roles that it inherits. */
  inherits?: readonly string[];
  /** Key of a role whose permissions, inherited ones included, are copied. */
  template?: string;
}

const COLUMNS = "id, key, name, set, description, predefined, version";

/** The role of this key; `kept`: it is not deleted before the transaction ends. Throws `not_found`. */
export async function findRole(sql: Sql, key: string, { kept = false } = {}): Promise<Role> {
  const { rows } = await sql.query<Role>(
    `select ${COLUMNS} from roles where key = $1 and deleted_at is null ${kept ? "for key share" : ""}`,
    [key],
  );
  const role = rows[0];
  if (!role) throw new AppError("not_found", `There is no role with the key ${key}.`, { field: "role" });
  return role;
}

/** Makes an organisation's own role (A2). Throws `invalid` for an unknown permission, `not_found` for a role it names, `conflict` for a taken key. */
export async function createRole(work: Work, input: RoleInput): Promise<string> {
  const { ctx, sql } = work;
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(input.key))
    throw new AppError("invalid", `The key ${input.key} must be lower-case letters, digits and dashes, beginning with a letter.`, {
      field: "key",
    });
  const template = input.template === undefined ? [] : await permissionsOf(sql, (await findRole(sql, input.template)).id);
  const permissions = await knownPermissions(sql, [...new Set([...template, ...(input.permissions ?? [])])]);
  const parentIds = await roleIds(sql, input.inherits ?? []);
  const id = randomUUID();
  const { rowCount } = await sql.query(
    "insert into roles (id, key, name, description, created_at, modified_at) values ($1, $2, $3, $4, $5, $5) on conflict (key) do nothing",
    [id, input.key, input.name, input.description ?? "", ctx.now()],
  );
  if (rowCount === 0)
    throw new AppError("conflict", `There is a role with the key ${input.key} already, or was: its versions are kept under it.`, {
      field: "key",
    });
  await settleRoleContent(work, [{ roleId: id, permissions, parentIds }]);
  await keepRoleVersions(work, [id]);
  await recordEvent(work, { name: "role.created", subjectType: "role", subjectId: id, data: { name: input.key } });
  return id;
}

/** Changes an organisation's own role; acts at once (A6). Throws `forbidden` for a predefined one, `invalid` when it would inherit from itself. */
export async function updateRole(
  work: Work,
  { key, ...change }: { key: string; name?: string; description?: string; permissions?: readonly string[]; inherits?: readonly string[] },
): Promise<void> {
  const { ctx, sql } = work;
  const role = await findRole(sql, key);
  refusePredefined(role);
  await sql.query("select from roles where id = $1 for update", [role.id]);
  const current = await ownContent(sql, role.id);
  const permissions = change.permissions === undefined ? current.permissions : await knownPermissions(sql, change.permissions);
  const parentIds = change.inherits === undefined ? current.parentIds : await roleIds(sql, change.inherits);
  await refuseCycle(sql, { role, parentIds });
  const changed = await settleRoleContent(work, [{ roleId: role.id, permissions, parentIds }]);
  const name = change.name ?? role.name;
  const description = change.description ?? role.description;
  if (changed.size === 0 && name === role.name && description === role.description) return;
  await sql.query("update roles set name = $2, description = $3, version = version + 1, modified_at = $4 where id = $1", [
    role.id,
    name,
    description,
    ctx.now(),
  ]);
  await keepRoleVersions(work, [role.id]);
  await recordEvent(work, {
    name: "role.updated",
    subjectType: "role",
    subjectId: role.id,
    data: { name: key, version: role.version + 1 },
  });
}

const PERMISSIONS_OF = `
  with recursive closure as (
    select $1::uuid as role_id
    union
    select p.parent_role_id from closure join role_parents p on p.role_id = closure.role_id and p.recorded_to is null and p.valid_to is null
  )
  select distinct permission_key from closure join role_permissions using (role_id)
  where recorded_to is null and valid_to is null order by permission_key`;

/** Permission keys that a role has now, inherited ones included. */
export async function permissionsOf(sql: Sql, roleId: string): Promise<string[]> {
  const { rows } = await sql.query<{ permission_key: string }>(PERMISSIONS_OF, [roleId]);
  return rows.map((row) => row.permission_key);
}

/** Throws `forbidden` for a role that came with the product. */
export function refusePredefined({ predefined, name, key }: Role): void {
  if (predefined)
    throw new AppError("forbidden", `${name} (${key}) is predefined and can't be changed. Make a role of your own with it as a template.`, {
      field: "role",
    });
}

async function ownContent(sql: Sql, roleId: string): Promise<{ permissions: string[]; parentIds: string[] }> {
  const { rows } = await sql.query<{ permissions: string[]; parents: string[] }>(
    `select array(select permission_key from role_permissions where role_id = $1 and recorded_to is null and valid_to is null) as permissions,
       array(select parent_role_id::text from role_parents where role_id = $1 and recorded_to is null and valid_to is null) as parents`,
    [roleId],
  );
  return { permissions: rows[0]?.permissions ?? [], parentIds: rows[0]?.parents ?? [] };
}

async function knownPermissions(sql: Sql, keys: readonly string[]): Promise<readonly string[]> {
  const { rows } = await sql.query<{ key: string }>("select key from permissions where key = any($1)", [keys]);
  const known = new Set(rows.map((row) => row.key));
  const stranger = keys.find((key) => !known.has(key));
  if (stranger !== undefined) throw new AppError("invalid", `There is no permission ${stranger}.`, { field: "permissions" });
  return keys;
}

async function roleIds(sql: Sql, keys: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  // In order, as two changes at once lock them; who deletes one waits, and then sees its heir.
  for (const key of keys.toSorted()) ids.push((await findRole(sql, key, { kept: true })).id);
  return ids;
}

/** What is said of a role that would inherit from itself. */
export function inCircle({ key }: Role): AppError {
  return new AppError("invalid", `The role ${key} would inherit from itself.`, { field: "inherits" });
}

async function refuseCycle(sql: Sql, { role, parentIds }: { role: Role; parentIds: readonly string[] }): Promise<void> {
  // One change of inheritance at a time: two at once could close a circle that neither sees.
  await sql.query("lock table role_parents in share row exclusive mode");
  const { rows } = await sql.query<{ found: boolean }>(
    `with recursive above as (
       select unnest($2::uuid[]) as role_id
       union
       select p.parent_role_id from above join role_parents p on p.role_id = above.role_id and p.recorded_to is null and p.valid_to is null
     )
     select exists (select from above where role_id = $1) as found`,
    [role.id, parentIds],
  );
  if (rows[0]?.found) throw inCircle(role);
}
