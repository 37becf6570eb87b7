import type { Sql } from "./database.ts";
import { migrationNames } from "./apply-migrations.ts";

/**
 * A sentence when a later version of Rollcall has brought the database up to date; undefined otherwise. While nodes are upgraded one by
 * one, that is as it should be for those whose turn comes; after somebody has gone back to an older version it is not.
 */
export async function migratedByNewer(sql: Sql): Promise<string | undefined> {
  const known = new Set(migrationNames());
  const { rows } = await sql.query<{ migration_name: string }>(
    "select migration_name from _prisma_migrations where finished_at is not null and rolled_back_at is null order by migration_name",
  );
  const unknown = rows.map((row) => row.migration_name).filter((name) => !known.has(name));
  const newest = unknown.at(-1);
  if (newest === undefined) return undefined;
  const count = unknown.length === 1 ? "1 migration" : `${unknown.length} migrations`;
  return `A later version of Rollcall has brought this database up to date: ${count} that this version does not know, ${newest} last. Upgrade this node, too; or, to go back to this version, restore the backup from before the upgrade.`;
}
