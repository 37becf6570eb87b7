import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { grantedUnits } from "./effective.ts";
import type { OwnPermission } from "./own-permissions.ts";

/** "rollcall last administrator" as a number for pg_advisory_xact_lock: two who remove each other at once would each see the other. */
const ADMINISTRATORS_LOCK = 7_305_011;

/**
 * Held by all that may take the last administrator's rights away, until the end of the transaction. It is taken before every other
 * lock: the order is administrators, rules, people, grants.
 */
export async function lockAdministrators(sql: Sql): Promise<void> {
  await sql.query("select pg_advisory_xact_lock($1)", [ADMINISTRATORS_LOCK]);
}

/** Who may make roles for the whole organisation can give back every other right. */
const STEERING: OwnPermission = "rollcall.roles.edit";

// People who were given a role with the permission, by themselves or through groups, and are active. Whether it holds, grantedUnits says.
const CANDIDATES = `
  with recursive holding (role_id) as (
    select role_id from role_permissions where permission_key = $2 and recorded_to is null and valid_to is null
    union select p.role_id from holding join role_parents p on p.parent_role_id = holding.role_id and p.recorded_to is null and p.valid_to is null
  ), given as (
    select g.person_id, g.group_id from grants g join holding using (role_id) join units u on u.id = g.unit_id and u.parent_id is null and u.type = 'organization' and u.deleted_at is null
    where g.recorded_to is null and g.valid @> $3::timestamptz
  ), below (group_id) as (
    select group_id from given where group_id is not null
    union select n.child_group_id from below join nestings n on n.parent_group_id = below.group_id and n.recorded_to is null and n.valid_to is null
  )
  select p.id from people p where p.id <> $1 and p.state = 'active' and p.id in (
    select person_id from given where person_id is not null
    union select m.person_id from below join memberships m using (group_id) where m.recorded_to is null and m.valid_to is null
  ) order by p.id limit 50`;

/**
 * Refuses what would leave the organisation without anybody who can steer it: to be called before somebody is suspended,
 * deactivated, deleted, or loses a grant. Who does not steer it is let through at once. Throws `conflict`.
 */
export async function refuseLastAdministrator({ ctx, sql }: Work, { personId }: { personId: string }): Promise<void> {
  const at = ctx.now();
  const steers = async (id: string) => (await grantedUnits(sql, { personId: id, permission: STEERING, at })).some(({ top }) => top);
  if (!(await steers(personId))) return;
  await lockAdministrators(sql);
  const { rows } = await sql.query<{ id: string }>(CANDIDATES, [personId, STEERING, at]);
  for (const { id } of rows) if (await steers(id)) return;
  throw new AppError("conflict", "This is the last administrator of the organisation: make another one first.", { field: "person" });
}

const NOBODY = "00000000-0000-0000-0000-000000000000";

/**
 * Does what may take somebody's rights away, in the caller's transaction, and refuses it when nobody is left who steers the organisation.
 * Where nobody did before, it is let through. One at a time, so that two don't take the last two at once. Throws `conflict`.
 * @param at the instant at which somebody must be left; now when absent
 */
export async function keepingAnAdministrator<T>(work: Work, act: () => Promise<T>, { at }: { at?: Date } = {}): Promise<T> {
  await lockAdministrators(work.sql);
  const before = await isSteered(work, at);
  const result = await act();
  if (before && !(await isSteered(work, at)))
    throw new AppError("conflict", "This would leave the organisation without an administrator: make another one first.", {
      field: "grant",
    });
  return result;
}

async function isSteered({ ctx, sql }: Work, at: Date = ctx.now()): Promise<boolean> {
  const { rows } = await sql.query<{ id: string }>(CANDIDATES, [NOBODY, STEERING, at]);
  for (const { id } of rows) if ((await grantedUnits(sql, { personId: id, permission: STEERING, at })).some(({ top }) => top)) return true;
  return false;
}
