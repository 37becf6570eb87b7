import pg from "pg";

/** Rows inserted, updated and deleted per table since the database was made. */
export type Written = Readonly<Record<string, number>>;

const TABLES = ["people", "accounts", "memberships"] as const;

/**
 * What PostgreSQL itself counted. Counters of a session arrive when it ends, so this waits until no other session of ours is left.
 */
export async function rowsWritten(databaseUrl: string): Promise<Written> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    for (let others = 1; others > 0; ) {
      const { rows } = await client.query("select count(*)::int as others from pg_stat_activity where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()");
      others = rows[0].others;
    }
    const { rows } = await client.query("select relname, n_tup_ins + n_tup_upd + n_tup_del as written from pg_stat_user_tables where relname = any($1)", [TABLES]);
    return Object.fromEntries(rows.map((row) => [row.relname, Number(row.written)]));
  } finally {
    await client.end();
  }
}

export function difference(before: Written, after: Written): Written {
  return Object.fromEntries(TABLES.map((table) => [table, (after[table] ?? 0) - (before[table] ?? 0)]));
}
