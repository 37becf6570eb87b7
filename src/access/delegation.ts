import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import type { OwnPermission } from "./own-permissions.ts";
import { reachesOf, type Caller, type Reach } from "./policy.ts";

export interface Delegated {
  permissions: readonly OwnPermission[];
  /** Null: everywhere. */
  unitIds: readonly string[] | null;
}

/**
 * Refuses to hand out more than one holds oneself: each permission has to be held on each of the units, or everywhere.
 * Throws `forbidden` naming the permission; `not_found` for a unit that is not there.
 */
export async function requireHeld(sql: Sql, { caller, delegated, at }: { caller: Caller; delegated: Delegated; at: Date }): Promise<void> {
  const reaches = await reachesOf(sql, { caller, permissions: delegated.permissions, at });
  const wanted = await pathsWanted(sql, delegated.unitIds);
  const short = reaches.find((reach) => !holdsOn(reach, { paths: wanted, everywhere: delegated.unitIds === null }));
  if (short)
    throw new AppError(
      "forbidden",
      `You can't give ${short.permission} ${delegated.unitIds === null ? "everywhere" : "there"}: you don't hold it yourself.`,
      {
        field: "permissions",
      },
    );
}

/** Pure: whether a reach covers all of these subtrees; everywhere also means what belongs to no unit. */
export function holdsOn(reach: Reach, { paths, everywhere }: { paths: readonly string[]; everywhere: boolean }): boolean {
  if (reach.everything) return true;
  if (everywhere && !reach.organisation) return false;
  return paths.every((path) => reach.paths.some((held) => path === held || path.startsWith(`${held}.`)));
}

/** Everywhere is every top of the tree. */
async function pathsWanted(sql: Sql, unitIds: readonly string[] | null): Promise<string[]> {
  const { rows } = await sql.query<{ path: string }>(
    "select path::text from units where deleted_at is null and case when $1::uuid[] is null then parent_id is null else id = any($1::uuid[]) end",
    [unitIds],
  );
  if (unitIds !== null && rows.length < new Set(unitIds).size)
    throw new AppError("not_found", "One of the units is not there.", { field: "unitIds" });
  return rows.map(({ path }) => path);
}
