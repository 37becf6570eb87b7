import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

/** Rows inserted, updated and deleted per table since the database was made. */
export type Written = Readonly<Record<string, number>>;

const TABLES = ["people", "accounts", "memberships"] as const;

const PATIENCE_MS = 30_000;

/**
 * What PostgreSQL itself counted. A session's counters arrive when it ends, so this waits until none that worked with
 * the store (src/db/database.ts names them) is left.
 */
export async function rowsWritten(databaseUrl: string): Promise<Written> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    for (const deadline = Date.now() + PATIENCE_MS; await othersWork(client); await sleep(20)) {
      if (Date.now() > deadline) throw new Error("A session of the step before is still open: its rows can't be counted.");
    }
    const { rows } = await client.query(
      "select relname, n_tup_ins + n_tup_upd + n_tup_del as written from pg_stat_user_tables where relname = any($1)",
      [TABLES],
    );
    return Object.fromEntries(rows.map((row) => [row.relname, Number(row.written)]));
  } finally {
    await client.end();
  }
}

async function othersWork(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query(
    "select exists (select from pg_stat_activity where datname = current_database() and application_name like 'rollcall:%') as others",
  );
  return rows[0].others;
}

export function difference(before: Written, after: Written): Written {
  return Object.fromEntries(TABLES.map((table) => [table, (after[table] ?? 0) - (before[table] ?? 0)]));
}
