import type { Work } from "../db/database.ts";
import { closePeriods } from "../directory/periods.ts";

/** What a role has itself, by permission key, and whom it inherits from, by role id. */
export interface RoleContent {
  roleId: string;
  permissions: readonly string[];
  parentIds: readonly string[];
}

const CONTENT = {
  role_permissions: { column: "permission_key", type: "text" },
  role_parents: { column: "parent_role_id", type: "uuid" },
} as const;

/**
 * Makes the current permissions and parents of these roles exactly those given, as periods: what goes is closed, what comes is opened.
 * Returns the ids of roles that changed; what is already so is not written.
 */
export async function settleRoleContent(work: Work, contents: readonly RoleContent[]): Promise<Set<string>> {
  const permissions = contents.flatMap(({ roleId, permissions: keys }) => keys.map((value) => ({ roleId, value })));
  const parents = contents.flatMap(({ roleId, parentIds }) => parentIds.map((value) => ({ roleId, value })));
  const roleIds = contents.map((content) => content.roleId);
  return new Set([
    ...(await settle(work, { table: "role_permissions", roleIds, wanted: permissions })),
    ...(await settle(work, { table: "role_parents", roleIds, wanted: parents })),
  ]);
}

async function settle(
  { ctx, sql }: Work,
  {
    table,
    roleIds,
    wanted,
  }: { table: keyof typeof CONTENT; roleIds: readonly string[]; wanted: readonly { roleId: string; value: string }[] },
): Promise<string[]> {
  const { column, type } = CONTENT[table];
  const { rows: current } = await sql.query<{ id: number; role_id: string; value: string }>(
    `select id, role_id, ${column} as value from ${table} where role_id = any($1::uuid[]) and recorded_to is null and valid_to is null`,
    [roleIds],
  );
  const known = new Set(current.map((row) => `${row.role_id} ${row.value}`));
  const desired = new Set(wanted.map((row) => `${row.roleId} ${row.value}`));
  const gone = current.filter((row) => !desired.has(`${row.role_id} ${row.value}`));
  const fresh = wanted.filter((row) => !known.has(`${row.roleId} ${row.value}`));
  await closePeriods(sql, { table, ids: gone.map((row) => row.id), at: ctx.now() });
  if (fresh.length > 0) {
    await sql.query(
      // Clocks of two nodes may differ, and one may be set back: nothing is had again before it ceased.
      `insert into ${table} (role_id, ${column}, valid_from, recorded_from) select f.role_id, f.value, began.at, began.at
         from unnest($1::uuid[], $2::${type}[]) as f (role_id, value)
         cross join lateral (select greatest($3::timestamptz, max(greatest(b.valid_to, b.recorded_to))) as at
           from ${table} b where b.role_id = f.role_id and b.${column} = f.value) began`,
      [fresh.map((row) => row.roleId), fresh.map((row) => row.value), ctx.now()],
    );
  }
  return [...gone.map((row) => row.role_id), ...fresh.map((row) => row.roleId)];
}
