import { openLdapSource } from "../../connectors/ldap/read.ts";
import type { Context } from "../../src/context.ts";
import type { Database } from "../../src/db/database.ts";
import { runSync } from "../../src/sync/run.ts";
import { ldapOptions, type Directory } from "./ldap.ts";
import { testKeyRing } from "./sync.ts";

export interface SyncedDirectory {
  db: Database;
  directory: Directory;
  mode: "full" | "incremental";
  settings?: Record<string, unknown>;
}

/** Runs the connection `corp` with what a real directory holds. */
export async function syncDirectory(ctx: Context, { db, directory, mode, settings }: SyncedDirectory) {
  const source = await openLdapSource(ldapOptions(directory, settings));
  return runSync(ctx, { db, keyRing: testKeyRing, connection: "corp", mode, trigger: "cli", source });
}
