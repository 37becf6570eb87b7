import { runMigrations as migrateQueue } from "graphile-worker";
import pg from "pg";
import { applyMigrations, migrationNames, type OnWaiting } from "./apply-migrations.ts";
import type { Sql } from "./database.ts";
import { SESSION } from "./session.ts";
import { requireSuitable } from "./suitable.ts";

/** "rollcall migrate" as a number for pg_advisory_lock. */
const MIGRATE_LOCK = 7_305_001;

const QUEUE = "graphile_worker";

/** Longest that a server may take to let us in: one that says nothing would be waited for without end. */
const LET_IN_WITHIN_MS = 30_000;

/**
 * Brings the schema up to date: our migrations, then the queue's tables. Safe to call from any number of nodes at once, and to break off
 * at any moment. Returns the names of the migrations that it applied. Throws `misconfigured` for a database that can't be ours.
 */
export async function migrate(url: string, { onWaiting }: { onWaiting?: OnWaiting } = {}): Promise<string[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: LET_IN_WITHIN_MS });
  // Of a connection that is lost while nothing is asked, the next statement tells.
  client.on("error", () => undefined);
  await client.connect();
  try {
    await requireSuitable(client, url);
    await client.query(SESSION);
    await client.query("select pg_advisory_lock($1)", [MIGRATE_LOCK]);
    const pending = await pendingMigrations(client);
    if (pending.length === 0) return [];
    const names = pending.filter((name) => name !== QUEUE);
    await applyMigrations(client, { names, onWaiting });
    await migrateQueueTables(url);
    return names;
  } finally {
    await client.end();
  }
}

async function migrateQueueTables(url: string): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 3 });
  // Of a connection that is lost while nothing is asked, as above.
  pool.on("error", () => undefined);
  try {
    await migrateQueue({ pgPool: pool });
  } finally {
    await pool.end();
  }
}

/** Names of the migrations that this version brings and the database lacks, the queue's tables included. */
export async function pendingMigrations(sql: Sql): Promise<string[]> {
  const { rows: tables } = await sql.query(
    "select to_regclass('_prisma_migrations') is not null as ours, to_regclass('graphile_worker.migrations') is not null as queue",
  );
  const queue = tables[0].queue ? [] : [QUEUE];
  if (!tables[0].ours) return [...migrationNames(), ...queue];
  const { rows } = await sql.query(
    "select migration_name from _prisma_migrations where finished_at is not null and rolled_back_at is null",
  );
  const done = new Set(rows.map((row) => row.migration_name));
  return [...migrationNames().filter((name) => !done.has(name)), ...queue];
}
