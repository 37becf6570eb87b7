import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { heldAt, holdingsOf } from "./giving.ts";
import type { Caller } from "./policy.ts";

/**
 * SQL of what the person ($1) holds or will hold from $2 on, whatever their state: somebody invited or suspended holds nothing today,
 * and all of this on the day they may come in. Units are where grants stand; each covers what is below it.
 */
const COMING_RIGHTS = `
  with recursive person_groups (group_id) as (
    select m.group_id from memberships m where m.person_id = $1 and m.recorded_to is null and (m.valid_to is null or m.valid_to > $2)
    union
    select n.parent_group_id from person_groups join nestings n on n.child_group_id = person_groups.group_id
      and n.recorded_to is null and (n.valid_to is null or n.valid_to > $2)
  ), held as (
    select g.role_id, g.unit_id from grants g where g.person_id = $1 and g.recorded_to is null and (g.valid_to is null or g.valid_to > $2)
    union
    select g.role_id, g.unit_id from person_groups join grants g using (group_id) where g.recorded_to is null and (g.valid_to is null or g.valid_to > $2)
  ), inherited (role_id, permission_role_id) as (
    select distinct role_id, role_id from held
    union
    select inherited.role_id, p.parent_role_id from inherited join role_parents p on p.role_id = inherited.permission_role_id
      and p.recorded_to is null and (p.valid_to is null or p.valid_to > $2)
  )
  select distinct content.permission_key as permission, units.path::text
  from held join roles on roles.id = held.role_id and roles.deleted_at is null
  join units on units.id = held.unit_id and units.deleted_at is null
  join inherited on inherited.role_id = held.role_id
  join role_permissions content on content.role_id = inherited.permission_role_id
    and content.recorded_to is null and (content.valid_to is null or content.valid_to > $2)`;

/**
 * Refuses what would let the caller become somebody who may do more: their password, their second factors and links that let in
 * as them are given out only by who holds all that they hold, or will hold by what was decided already. What comes with being that
 * person (their own profile, their team) is not asked. Nobody does it to themselves either: a narrowed credential would widen
 * itself. Throws `forbidden`.
 */
export async function requireHoldsAll({ ctx, sql }: Work, { caller, personId }: { caller: Caller; personId: string }): Promise<void> {
  if (caller.personId === personId)
    throw new AppError("forbidden", "Nobody does this to themselves here: sign in and change it on the account page.", { field: "person" });
  const at = ctx.now();
  const holdings = await holdingsOf(sql, { caller, at });
  for (const { permission, path } of await comingRights(sql, { personId, at })) {
    const { permissions, everything } = heldAt(holdings, path);
    if (everything || permissions.has(permission)) continue;
    throw new AppError("forbidden", "This person holds rights that you don't hold: somebody who holds them all has to do it.", {
      field: "person",
    });
  }
}

/**
 * Refuses what would let the caller become anybody at all, such as saying which identity providers are believed: that is for who may
 * give everything anyway. Throws `forbidden`.
 */
export async function requireHoldsEverything({ ctx, sql }: Work, { caller }: { caller: Caller }): Promise<void> {
  const { steers, narrowed } = await holdingsOf(sql, { caller, at: ctx.now() });
  const everything = caller.personId === null ? caller.permissions === null && narrowed === null : steers;
  if (everything) return;
  throw new AppError(
    "forbidden",
    "Who is let in as whom follows from this connection: somebody who may make roles for the whole organisation has to do it.",
    { field: "connector" },
  );
}

async function comingRights(sql: Sql, { personId, at }: { personId: string; at: Date }): Promise<{ permission: string; path: string }[]> {
  const { rows } = await sql.query<{ permission: string; path: string }>(COMING_RIGHTS, [personId, at]);
  return rows;
}
