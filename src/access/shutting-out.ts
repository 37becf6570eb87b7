import type { Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { comingRights } from "./coming-rights.ts";
import { heldAt, holdingsOf } from "./giving.ts";
import { personBehind, type Caller } from "./policy.ts";
import { isAway, rightsOnceIn } from "./rights-once-in.ts";

/** Permissions of other modules are not asked: who keeps the people of a ward in order holds nothing of its register. */
const OWN_MODULE = "rollcall.";

/**
 * Refuses that somebody is shut out, or let in again, by hand by who may do less in Rollcall: each of our own permissions that the person
 * holds, or will hold by what was decided already, must be held by the caller over the same units. Oneself is not asked. Throws
 * `forbidden`.
 * @param onceIn also what rules give them once they are let in
 */
export async function requireMayShutOutOrLetIn(
  work: Work,
  { caller, personId, onceIn = false }: { caller: Caller; personId: string; onceIn?: boolean },
): Promise<void> {
  const beyond = (await holdingMore(work, { caller, personIds: [personId], onceIn })).get(personId);
  if (beyond === undefined) return;
  throw new AppError("forbidden", `This person holds more in Rollcall than you do (${beyond}): somebody who holds it all has to do it.`, {
    field: "person",
  });
}

/** Those of the people who hold more in Rollcall than the caller, each with a permission that the caller lacks there. Never oneself. See above. */
export async function holdingMore(
  { ctx, sql }: Work,
  { caller, personIds, onceIn }: { caller: Caller; personIds: readonly string[]; onceIn: boolean },
): Promise<ReadonlyMap<string, string>> {
  const at = ctx.now();
  const oneself = personBehind(caller);
  const { rows } = await sql.query<{ id: string }>(HOLDING_ANY, [personIds, at, `${OWN_MODULE}%`, onceIn]);
  const found = new Map<string, string>();
  const holdings = rows.length === 0 ? undefined : await holdingsOf(sql, { caller, at });
  for (const { id } of rows) {
    if (!holdings || id === oneself) continue;
    const beyond = (await (onceIn ? rightsOnceIn : comingRights)(sql, { personId: id, at })).find(({ permission, path }) => {
      const { permissions, everything } = heldAt(holdings, path);
      return permission.startsWith(OWN_MODULE) && !everything && !permissions.has(permission);
    });
    if (beyond) found.set(id, beyond.permission);
  }
  return found;
}

// Spares asking for the rights of each of thousands, of whom few hold anything of ours.
const HOLDING_ANY = `
  with recursive holding (role_id) as (
    select role_id from role_permissions where permission_key like $3 and recorded_to is null and (valid_to is null or valid_to > $2)
    union select p.role_id from holding join role_parents p on p.parent_role_id = holding.role_id and p.recorded_to is null and (p.valid_to is null or p.valid_to > $2)
  ), given as (
    select g.person_id, g.group_id from grants g join holding using (role_id) where g.recorded_to is null and (g.valid_to is null or g.valid_to > $2)
  ), below (group_id) as (
    select group_id from given where group_id is not null
    union select n.child_group_id from below join nestings n on n.parent_group_id = below.group_id and n.recorded_to is null and (n.valid_to is null or n.valid_to > $2)
  )
  select p.id from people p where p.id = any($1::uuid[]) and (
    ($4 and ${isAway({ person: "p", at: "$2::timestamptz" })}
      and exists (select from rules where condition is not null and enabled and deleted_at is null))
    or p.id in (select person_id from given)
    or exists (select from believed_memberships m join below using (group_id) where m.person_id = p.id and (m.valid_to is null or m.valid_to > $2)))
  order by p.id`;
