import { recordEvent } from "../audit/record.ts";
import type { Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { closeGrants } from "./grant-rows.ts";
import { settleRoleContent } from "./role-rows.ts";
import { keepRoleVersions } from "./role-versions.ts";
import { findRole } from "./roles.ts";

export interface RoleRemoval {
  key: string;
  /** Take back the grants of it, and take it out of the roles that inherit it. */
  revoke: boolean;
  reason: string;
}

/**
 * Deletes an organisation's own role. Throws `forbidden` for a predefined one; `conflict` while it is granted or inherited, unless told
 * to revoke, and while a rule gives it or a request asks for it.
 */
export async function deleteRole(work: Work, { key, revoke, reason }: RoleRemoval): Promise<void> {
  const { ctx, sql } = work;
  const role = await findRole(sql, key);
  if (role.predefined)
    throw new AppError("forbidden", `${role.name} (${key}) is predefined; it goes when its module is not installed.`, { field: "role" });
  await sql.query("select from roles where id = $1 for update", [role.id]);
  const { rows } = await sql.query<{ grants: string[]; heirs: string[]; rules: string[]; requests: number }>(
    `select array(select grant_id::text from grants where role_id = $1 and recorded_to is null and source <> 'rule' and (valid_to is null or valid_to > $2)) as grants,
       array(select role_id::text from role_parents where parent_role_id = $1 and recorded_to is null and valid_to is null) as heirs,
       array(select name from rules where role_id = $1 and deleted_at is null order by name) as rules,
       (select count(*)::int from access_requests where role_id = $1 and state = 'pending' and lapses_at > $2) as requests`,
    [role.id, ctx.now()],
  );
  const { grants, heirs, rules, requests } = rows[0] ?? { grants: [], heirs: [], rules: [], requests: 0 };
  const refuse = (what: string) => {
    throw new AppError("conflict", `The role ${role.name} can't be deleted: ${what}`, { field: "role" });
  };
  if (rules.length > 0) refuse(`the rule ${rules[0]} gives it; change or delete that first.`);
  if (requests > 0) refuse("somebody has asked for it and waits for a decision.");
  if (!revoke && grants.length > 0) refuse(`it is granted ${grants.length} times; send \`revoke\`, or take it back first.`);
  if (!revoke && heirs.length > 0) refuse(`${heirs.length} roles inherit it; send \`revoke\`, or change them first.`);
  await closeGrants(work, { grantIds: grants, reason });
  await disinherit(work, { parentId: role.id, heirs });
  await settleRoleContent(work, [{ roleId: role.id, permissions: [], parentIds: [] }]);
  await sql.query("update roles set deleted_at = $2, modified_at = $2, version = version + 1 where id = $1", [role.id, ctx.now()]);
  await keepRoleVersions(work, [role.id]);
  await recordEvent(work, {
    name: "role.deleted",
    subjectType: "role",
    subjectId: role.id,
    reason,
    data: { name: key, grants: grants.length },
  });
}

async function disinherit(work: Work, { parentId, heirs }: { parentId: string; heirs: readonly string[] }): Promise<void> {
  if (heirs.length === 0) return;
  const { ctx, sql } = work;
  const { rows } = await sql.query<{ id: string; key: string; permissions: string[]; parents: string[]; version: number }>(
    `update roles r set version = version + 1, modified_at = $2 where id = any($1::uuid[])
     returning id, key, version, array(select permission_key from role_permissions where role_id = r.id and recorded_to is null and valid_to is null) as permissions,
       array(select parent_role_id::text from role_parents where role_id = r.id and parent_role_id <> $3 and recorded_to is null and valid_to is null) as parents`,
    [heirs, ctx.now(), parentId],
  );
  await settleRoleContent(
    work,
    rows.map(({ id, permissions, parents }) => ({ roleId: id, permissions, parentIds: parents })),
  );
  await keepRoleVersions(work, heirs);
  for (const { id, key, version } of rows)
    await recordEvent(work, { name: "role.updated", subjectType: "role", subjectId: id, data: { name: key, version } });
}
