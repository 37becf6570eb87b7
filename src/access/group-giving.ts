import type { Sql } from "../db/database.ts";
import { groupsAbove } from "../directory/groups.ts";
import { AppError } from "../errors.ts";
import { endingBefore } from "./coming-rights.ts";
import { personBehind } from "./policy.ts";
import { heldAt, isMember, notHeld, requireHeldRole, type Holdings } from "./giving.ts";
import { permissionsOf } from "./roles.ts";

export interface GroupGiving {
  /** What the caller held before the change, which may have brought them more. */
  before: Holdings;
  groupId: string;
  at: Date;
}

interface GivenRole {
  id: string;
  name: string;
  /** Of the unit on which it is held. */
  path: string;
  /** When it ends for whoever joins now; null = never. */
  until: Date | null;
}

/** The roles that a group gives whoever is in it, those of groups around it included; also those that begin later. */
export async function rolesOfGroup(sql: Sql, { groupId, at }: Pick<GroupGiving, "groupId" | "at">): Promise<GivenRole[]> {
  const groupIds = await groupsAbove(sql, { groupIds: [groupId], at });
  const { rows } = await sql.query<GivenRole>(
    `select distinct r.id, r.name, u.path::text, least(g.valid_to, $2::timestamptz + make_interval(secs => g.expires_after_seconds)) as until from grants g join roles r on r.id = g.role_id and r.deleted_at is null
       join units u on u.id = g.unit_id and u.deleted_at is null
     where g.group_id = any($1::uuid[]) and g.recorded_to is null and (g.valid_to is null or g.valid_to > $2)`,
    [groupIds, at],
  );
  return rows;
}

/**
 * Refuses to give roles by way of a group: whoever puts people into it, or makes a rule act for it, must be allowed to give each role
 * that it holds, on its unit, groups around it included; and nobody brings themselves what they didn't hold, nor for longer. To be
 * asked in the transaction of the change, after it. Throws `forbidden`.
 */
export async function requireMayGiveGroup(sql: Sql, { before, groupId, at }: GroupGiving): Promise<void> {
  const roles = await rolesOfGroup(sql, { groupId, at });
  if (roles.length === 0) return;
  const personId = personBehind(before.caller);
  const isIn = personId !== null && (await isMember(sql, { personId, groupId, at }));
  for (const { path, until, ...role } of roles) {
    const held = heldAt(before, path);
    const permissions = await permissionsOf(sql, role.id);
    requireHeldRole(role, { permissions, held });
    const rights = before.coming;
    const gains = notHeld(permissions, { ...held, everything: false }).length > 0;
    if (isIn && (gains || (rights && endingBefore(until, { permissions, rights, path }).length > 0)))
      throw new AppError("forbidden", `You are in this group, and it holds the role ${role.name}: nobody brings that to themselves.`, {
        field: "group",
      });
  }
}

/** Permissions of other modules are not asked, as where somebody is shut out. */
const STEERING = "rollcall.";

/**
 * Refuses to take by way of a group what Rollcall itself is steered by and one doesn't hold oneself: whoever takes others out of it, or it away
 * from all, must hold that of each role on its unit, groups around it included. To be asked before the change. Throws `forbidden`.
 */
export async function requireMayTakeGroup(sql: Sql, { before, groupId, at }: GroupGiving): Promise<void> {
  for (const { path, ...role } of await rolesOfGroup(sql, { groupId, at })) {
    const steering = (await permissionsOf(sql, role.id)).filter((key) => key.startsWith(STEERING));
    requireHeldRole(role, { permissions: steering, held: heldAt(before, path) });
  }
}
