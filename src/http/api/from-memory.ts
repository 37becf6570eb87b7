import type { OwnPermission } from "../../access/own-permissions.ts";
import { refused, requirePermission, type Caller } from "../../access/policy.ts";
import type { View } from "../../access/snapshot/feed.ts";
import { heldBy, type Held } from "../../access/snapshot/held.ts";
import type { AccessSnapshot } from "../../access/snapshot/snapshot.ts";
import type { Sql } from "../../db/database.ts";

export interface InMemory {
  view: View;
  /** Where the caller holds the permission, by the same view. */
  held: Held;
}

/**
 * What this node has in memory, for a caller who holds the permission anywhere by it. Where it is not in step, the database says first who
 * may wait for it. Throws `forbidden`; `unavailable`.
 */
export async function inMemory(
  sql: Sql,
  { snapshot, caller, permission, at }: { snapshot: AccessSnapshot; caller: Caller; permission: OwnPermission; at: Date },
): Promise<InMemory> {
  let view = snapshot.now();
  if (!view) {
    await requirePermission(sql, { caller, permission, at, thing: { anywhere: true } });
    view = await snapshot.ready();
  }
  const held = heldBy(view, { caller, permission, at });
  if (!held.anywhere) throw refused(permission);
  return { view, held };
}
