import path from "node:path";
import type { Logger } from "pino";
import { loadShippedRoles } from "../access/shipped-roles.ts";
import { loadKeyRing, type Config } from "../config.ts";
import { createContext } from "../context.ts";
import { inTransaction, openDatabase, type Database } from "../db/database.ts";
import { startEmbeddedPostgres } from "../db/embedded.ts";
import type { KeyRing } from "../db/envelope.ts";
import { projectFolder } from "../db/folder.ts";
import type { OnWaiting } from "../db/apply-migrations.ts";
import { migrate } from "../db/migrate.ts";
import { notReachable } from "../db/not-reachable.ts";

/** The database and the keys, open and up to date. */
export interface Store {
  db: Database;
  keyRing: KeyRing;
  /** Migrations that opening applied. */
  migrated: readonly string[];
  /** Closes the pool; the last process on an embedded PostgreSQL stops it. */
  close(): Promise<void>;
}

export interface OpenStoreOptions {
  log: Logger;
  poolSize?: number;
  /** Bring the shipped roles up to date even when no migration was due. */
  refreshRoles?: boolean;
}

/** Opens what DATABASE_URL names, or the embedded PostgreSQL in the data folder, and migrates it. Throws `unavailable` or `misconfigured`. */
export async function openStore(config: Config, { log, poolSize, refreshRoles = false }: OpenStoreOptions): Promise<Store> {
  const onTrouble = (error: Error) => log.warn({ err: error }, "the embedded PostgreSQL does not run; it is started again");
  const embedded = config.databaseUrl === undefined ? await startEmbeddedPostgres({ folder: config.data, onTrouble }) : undefined;
  const url = embedded?.url ?? config.databaseUrl ?? "";
  try {
    const onWaiting: OnWaiting = (waiting) => log.warn(waiting, "a migration waits for statements of others to end; it tries again");
    const migrated = await migrate(url, { onWaiting }).catch((error: unknown) => {
      throw notReachable(url, error);
    });
    const keyRing = loadKeyRing(config);
    const db = openDatabase({
      url,
      poolSize,
      onError: (error) => log.warn({ error: error.message }, "a database connection was lost; the next query opens another"),
    });
    const close = async () => {
      await db.close();
      await embedded?.release();
    };
    try {
      if (refreshRoles || migrated.length > 0 || (await lacksRoles(db))) await loadRoles(db, { config, log });
    } catch (error) {
      await db.close();
      throw error;
    }
    return { db, keyRing, migrated, close };
  } catch (error) {
    await embedded?.release();
    throw error;
  }
}

/** Somebody else migrated it, or a start broke off between the two. */
async function lacksRoles({ pool }: Database): Promise<boolean> {
  const { rowCount } = await pool.query("select from roles limit 1");
  return !rowCount;
}

async function loadRoles(db: Database, { config, log }: { config: Config; log: Logger }): Promise<void> {
  const ctx = createContext({ actor: "system", log });
  await inTransaction(db, ctx, (work) =>
    loadShippedRoles(work, { folder: path.join(projectFolder(), "config", "roles"), modules: config.modules }),
  );
}
