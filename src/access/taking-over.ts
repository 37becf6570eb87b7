import type { Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { heldAt, holdingsOf } from "./giving.ts";
import { personBehind, type Caller } from "./policy.ts";
import { rightsOnceIn } from "./rights-once-in.ts";

/**
 * Refuses what would let the caller become somebody who may do more: their password, their second factors and links that let in
 * as them are given out only by who holds all that they hold, or will hold by what was decided already, or by rules once they are let
 * in. What comes with being that person (their own profile, their team) is not asked. Nobody does it to themselves either: a narrowed
 * credential would widen itself. Throws `forbidden`.
 */
export async function requireHoldsAll({ ctx, sql }: Work, { caller, personId }: { caller: Caller; personId: string }): Promise<void> {
  if (personBehind(caller) === personId)
    throw new AppError("forbidden", "Nobody does this to themselves here: sign in and change it on the account page.", { field: "person" });
  const at = ctx.now();
  const holdings = await holdingsOf(sql, { caller, at });
  for (const { permission, path } of await rightsOnceIn(sql, { personId, at })) {
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
  const everything = personBehind(caller) === null ? caller.permissions === null && narrowed === null : steers;
  if (everything) return;
  throw new AppError(
    "forbidden",
    "Who is let in as whom follows from this connection: somebody who may make roles for the whole organisation has to do it.",
    { field: "connector" },
  );
}
