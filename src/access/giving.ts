import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { comingRights, endingBefore, type ComingRight } from "./coming-rights.ts";
import { grantedUnits, type GrantedUnit } from "./effective.ts";
import { narrowedTo, personBehind, reachOf, type Caller } from "./policy.ts";
import { permissionsOf, type Role } from "./roles.ts";

/** What a caller holds on one unit. */
export interface Held {
  /** Permission keys, of whatever module. */
  permissions: ReadonlySet<string>;
  /** Who may make roles for the whole organisation, and services that are narrowed to no permission: nothing is more than theirs. */
  everything: boolean;
}

/** Pure: the permissions of a role that one can't give, because one doesn't hold them oneself. */
export function notHeld(permissions: readonly string[], held: Held): string[] {
  return held.everything ? [] : permissions.filter((key) => !held.permissions.has(key));
}

/** What a caller holds anywhere, at one instant. */
export interface Holdings {
  caller: Caller;
  granted: readonly GrantedUnit[];
  /** Paths of the units to which the credential is narrowed; null = it is not. */
  narrowed: readonly string[] | null;
  /** Whether the caller may make roles for the whole organisation. */
  steers: boolean;
  /** What the caller holds and will hold, with its ends; where it was asked for. */
  coming?: readonly ComingRight[];
}

export async function holdingsOf(sql: Sql, { caller, at }: { caller: Caller; at: Date }): Promise<Holdings> {
  const personId = personBehind(caller);
  const steering = await reachOf(sql, { caller, permission: "rollcall.roles.edit", at });
  return {
    caller,
    granted: personId === null ? [] : await grantedUnits(sql, { personId, at }),
    narrowed: await narrowedTo(sql, caller),
    steers: steering.organisation,
  };
}

/** Pure: what these holdings are on the unit of this path; what the credential is narrowed to is all that is left of them. */
export function heldAt({ caller, granted, narrowed, steers }: Holdings, path: string): Held {
  const within = (above: string) => path === above || path.startsWith(`${above}.`);
  if (narrowed !== null && !narrowed.some(within)) return { permissions: new Set(), everything: false };
  if (personBehind(caller) === null) return { permissions: new Set(caller.permissions ?? []), everything: caller.permissions === null };
  const here = granted.filter((each) => within(each.path)).map(({ permission }) => permission);
  return { permissions: new Set(here.filter((key) => caller.permissions?.includes(key) ?? true)), everything: steers };
}

async function heldOn(sql: Sql, { caller, unitId, at }: { caller: Caller; unitId: string; at: Date }): Promise<Held> {
  return heldAt(await holdingsOf(sql, { caller, at }), await pathOf(sql, unitId));
}

export interface Giving {
  caller: Caller;
  role: Pick<Role, "id" | "key" | "name">;
  unitId: string;
  at: Date;
}

/**
 * Refuses to give, extend or take what one doesn't hold oneself on that unit. That one may give at all (`rollcall.grants.give`) is
 * asked elsewhere. Throws `forbidden` naming the permissions that are missing.
 */
export async function requireMayGive(sql: Sql, { caller, role, unitId, at }: Giving): Promise<void> {
  requireHeldRole(role, { permissions: await permissionsOf(sql, role.id), held: await heldOn(sql, { caller, unitId, at }) });
}

/** Throws `forbidden` naming the permissions of the role that are missing. */
export function requireHeldRole(role: Pick<Role, "name">, { permissions, held }: { permissions: readonly string[]; held: Held }): void {
  const missing = notHeld(permissions, held);
  if (missing.length === 0) return;
  const named = missing.slice(0, 3).join(", ") + (missing.length > 3 ? ` and ${missing.length - 3} more` : "");
  throw new AppError("forbidden", `The role ${role.name} holds what you don't hold yourself on this unit: ${named}.`, { field: "role" });
}

export interface SelfGiving extends Giving {
  personId?: string | null | undefined;
  groupId?: string | null | undefined;
  /** When what is given ends; null = never. */
  until: Date | null;
}

/**
 * Refuses to give oneself anything; through a group that one is in, all that one doesn't hold already, and for as long, without being
 * somebody who may give everything. Throws `forbidden`.
 */
export async function refuseGivingOneself(sql: Sql, { personId, groupId, until, ...giving }: SelfGiving): Promise<void> {
  const { caller, role, unitId, at } = giving;
  const own = personBehind(caller);
  if (own === null) return;
  if (personId === own)
    throw new AppError("forbidden", "Nobody gives roles to themselves: somebody else has to, or ask for it (POST /requests).", {
      field: "personId",
    });
  if (groupId === null || groupId === undefined || !(await isMember(sql, { personId: own, groupId, at }))) return;
  const held = await heldOn(sql, { caller, unitId, at });
  const permissions = await permissionsOf(sql, role.id);
  if (notHeld(permissions, { ...held, everything: false }).length > 0)
    throw new AppError("forbidden", "You are in this group yourself, and don't hold this role yet: somebody else has to give it.", {
      field: "groupId",
    });
  const rights = await comingRights(sql, { personId: own, at });
  if (endingBefore(until, { permissions, rights, path: await pathOf(sql, unitId) }).length > 0)
    throw new AppError("forbidden", "You are in this group yourself, and don't hold this role for so long: somebody else has to give it.", {
      field: "until",
    });
}

/** Whether somebody is in a group, through others too. */
export async function isMember(sql: Sql, { personId, groupId, at }: { personId: string; groupId: string; at: Date }): Promise<boolean> {
  const { rowCount } = await sql.query(
    `with recursive held (group_id) as (
       select m.group_id from believed_memberships m where m.person_id = $1 and m.valid @> $3::timestamptz
       union
       select n.parent_group_id from held join nestings n on n.child_group_id = held.group_id and n.recorded_to is null and n.valid @> $3::timestamptz
     ) select from held where group_id = $2`,
    [personId, groupId, at],
  );
  return rowCount !== null && rowCount > 0;
}

async function pathOf(sql: Sql, unitId: string): Promise<string> {
  const { rows } = await sql.query<{ path: string }>("select path::text from units where id = $1 and deleted_at is null", [unitId]);
  const [unit] = rows;
  if (!unit) throw new AppError("not_found", `There is no unit ${unitId}.`, { field: "unit" });
  return unit.path;
}
