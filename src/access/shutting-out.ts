import type { Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { comingRights } from "./coming-rights.ts";
import { heldAt, holdingsOf } from "./giving.ts";
import { personBehind, type Caller } from "./policy.ts";

/** Permissions of other modules are not asked: who keeps the people of a ward in order holds nothing of its register. */
const OWN_MODULE = "rollcall.";

/**
 * Refuses that somebody is shut out, or let in again, by hand by who may do less in Rollcall: each of our own permissions that the person
 * holds, or will hold by what was decided already, must be held by the caller over the same units. Oneself is not asked. Throws
 * `forbidden`.
 */
export async function requireMayShutOutOrLetIn(
  { ctx, sql }: Work,
  { caller, personId }: { caller: Caller; personId: string },
): Promise<void> {
  if (personBehind(caller) === personId) return;
  const at = ctx.now();
  const rights = (await comingRights(sql, { personId, at })).filter(({ permission }) => permission.startsWith(OWN_MODULE));
  if (rights.length === 0) return;
  const holdings = await holdingsOf(sql, { caller, at });
  for (const { permission, path } of rights) {
    const { permissions, everything } = heldAt(holdings, path);
    if (everything || permissions.has(permission)) continue;
    throw new AppError(
      "forbidden",
      `This person holds more in Rollcall than you do (${permission}): somebody who holds it all has to do it.`,
      {
        field: "person",
      },
    );
  }
}
