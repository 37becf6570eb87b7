import { randomUUID } from "node:crypto";
import { recordEvent } from "../audit/record.ts";
import type { Work } from "../db/database.ts";
import { readRoleFiles, type RoleSet, type ShippedRole } from "./role-files.ts";
import { settleRoleContent, type RoleContent } from "./role-rows.ts";
import { keepRoleVersions } from "./role-versions.ts";

/** "rollcall roles" as a number for pg_advisory_xact_lock: two nodes may start at once. */
const ROLES_LOCK = 7_305_002;

/** Its permissions guard our own doors: it is always there. */
const OWN_MODULE = "rollcall";

interface RoleRow {
  id: string;
  key: string;
  name: string;
  set: string;
  description: string;
  deleted_at: Date | null;
}

export interface LoadOptions {
  /** Folder of the role files, `config/roles`. */
  folder: string;
  /** Modules installed: which predefined roles exist follows from them. */
  modules: readonly string[];
}

/**
 * Brings the predefined roles of the installed modules into the database, and takes away those of modules that are not installed
 * (A1, A2). Run at every start; when nothing changed, nothing is written. Throws `misconfigured` for a bad file.
 */
export async function loadShippedRoles(
  work: Work,
  { folder, modules }: LoadOptions,
): Promise<{ created: number; updated: number; removed: number }> {
  const sets = readRoleFiles(folder).filter((set) => set.module === OWN_MODULE || modules.includes(set.module));
  await work.sql.query("select pg_advisory_xact_lock($1)", [ROLES_LOCK]);
  await savePermissions(work, sets);
  const { rows: known } = await work.sql.query<RoleRow>("select id, key, name, set, description, deleted_at from roles where predefined");
  const byKey = new Map(known.map((role) => [role.key, role]));
  const wanted = sets.flatMap((set) => set.roles);
  const idOf = new Map(wanted.map((role) => [role.key, byKey.get(role.key)?.id ?? randomUUID()]));
  const created = await createMissing(
    work,
    wanted.filter((role) => !byKey.has(role.key)),
    idOf,
  );
  const gone = known.filter((role) => !idOf.has(role.key) && role.deleted_at === null).map((role) => role.id);
  const contents: RoleContent[] = wanted.map((role) => ({
    roleId: idOf.get(role.key) ?? "",
    permissions: role.permissions,
    parentIds: role.inherits.flatMap((key) => idOf.get(key) ?? []),
  }));
  const changed = await settleRoleContent(work, [...contents, ...gone.map((roleId) => ({ roleId, permissions: [], parentIds: [] }))]);
  const renamed = wanted.filter((role) => differs(byKey.get(role.key), role)).map((role) => idOf.get(role.key) ?? "");
  const updated = new Set([...changed, ...renamed].filter((id) => !created.has(id) && !gone.includes(id)));
  await saveRoles(
    work,
    wanted.filter((role) => updated.has(idOf.get(role.key) ?? "")),
  );
  if (gone.length > 0)
    await work.sql.query("update roles set deleted_at = $2, modified_at = $2, version = version + 1 where id = any($1::uuid[])", [
      gone,
      work.ctx.now(),
    ]);
  await keepRoleVersions(work, [...created, ...updated, ...gone]);
  const counts = { created: created.size, updated: updated.size, removed: gone.length };
  if (created.size + updated.size + gone.length > 0) await recordEvent(work, { name: "roles.loaded", subjectType: "role", data: counts });
  return counts;
}

function differs(known: RoleRow | undefined, role: ShippedRole): boolean {
  return (
    known !== undefined &&
    (known.name !== role.name || known.set !== role.set || known.description !== role.description || known.deleted_at !== null)
  );
}

async function savePermissions({ sql }: Work, sets: readonly RoleSet[]): Promise<void> {
  const rows = sets.flatMap((set) => set.permissions);
  await sql.query(
    `insert into permissions as p (key, module, resource, action, description)
     select key, module, resource, action, description from jsonb_to_recordset($1::jsonb) as w (key text, module text, resource text, action text, description text)
     on conflict (key) do update set description = excluded.description where p.description <> excluded.description`,
    [JSON.stringify(rows)],
  );
}

async function createMissing({ ctx, sql }: Work, roles: readonly ShippedRole[], idOf: ReadonlyMap<string, string>): Promise<Set<string>> {
  const rows = roles.map((role) => ({
    id: idOf.get(role.key),
    key: role.key,
    name: role.name,
    set: role.set,
    description: role.description,
  }));
  if (rows.length > 0) {
    await sql.query(
      `insert into roles (id, key, name, set, description, predefined, created_at, modified_at)
       select id, key, name, set, description, true, $2, $2 from jsonb_to_recordset($1::jsonb) as w (id uuid, key text, name text, set text, description text)`,
      [JSON.stringify(rows), ctx.now()],
    );
  }
  return new Set(rows.flatMap((row) => row.id ?? []));
}

async function saveRoles({ ctx, sql }: Work, roles: readonly ShippedRole[]): Promise<void> {
  if (roles.length === 0) return;
  await sql.query(
    `update roles r set name = w.name, set = w.set, description = w.description, deleted_at = null, version = r.version + 1, modified_at = $2
     from jsonb_to_recordset($1::jsonb) as w (key text, name text, set text, description text) where r.key = w.key`,
    [JSON.stringify(roles.map(({ key, name, set, description }) => ({ key, name, set, description }))), ctx.now()],
  );
}
