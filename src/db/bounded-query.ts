import pg, { type QueryConfig, type QueryResultRow } from "pg";
import type { Database } from "./database.ts";

/**
 * One statement that is cancelled after `longestMs`, then failing as PostgreSQL's own time-out does (57014).
 * The bound costs nothing while it is kept: setting `statement_timeout` would be two more round trips for each statement.
 */
export async function queryWithin<Row extends QueryResultRow>(
  db: Database,
  { statement, longestMs }: { statement: QueryConfig; longestMs: number },
): Promise<Row[]> {
  const client = await db.pool.connect();
  let cancelling: Promise<void> | undefined;
  let broken: Error | undefined;
  const timer = setTimeout(() => {
    cancelling = cancel(db, processOf(client)).catch((error: Error) => {
      broken = error;
    });
  }, longestMs);
  try {
    const { rows } = await client.query<Row>(statement);
    return rows;
  } finally {
    clearTimeout(timer);
    // A cancellation under way must not hit whoever gets this client next.
    await cancelling;
    client.release(broken);
  }
}

/** The server process behind a client, which pg holds and its types do not tell. */
function processOf(client: object): unknown {
  return "processID" in client ? client.processID : undefined;
}

/** Over a connection of its own: the pool may be what is used up. */
async function cancel({ url }: Database, processId: unknown): Promise<void> {
  const other = new pg.Client({ connectionString: url });
  await other.connect();
  try {
    await other.query("select pg_cancel_backend($1)", [processId]);
  } finally {
    await other.end();
  }
}
