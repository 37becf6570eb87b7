import type { PoolClient } from "pg";
import type { Database, Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";

/** Class of the advisory locks by which no two nodes run one connection's sync. */
const SYNC_LOCK = 7_305_002;

/** Holds the connection's lock until the caller's transaction ends. Throws `busy` when a run of it is under way. */
export async function lockForTransaction(sql: Sql, { connectionId, name }: { connectionId: number; name: string }): Promise<void> {
  const { rows } = await sql.query<{ locked: boolean }>("select pg_try_advisory_xact_lock($1, $2) as locked", [SYNC_LOCK, connectionId]);
  if (!rows[0]?.locked) throw new AppError("busy", `A run of ${name} is in progress. Wait for it to end.`);
}

/**
 * Holds the connection's lock while `work` runs. The lock is PostgreSQL's own and dies with its holder's connection,
 * so a killed node never keeps it. Throws `busy` when somebody has it; `lost` aborts when the server goes away meanwhile.
 */
export async function withSyncLock<T>(
  db: Database,
  { connectionId, name }: { connectionId: number; name: string },
  work: (lost: AbortSignal) => Promise<T>,
): Promise<T> {
  const client: PoolClient = await db.pool.connect();
  const lost = new AbortController();
  const onError = (error: Error) =>
    lost.abort(new AppError("unavailable", `The database connection that held the lock of ${name} was lost: ${error.message}`));
  client.on("error", onError);
  let broken = false;
  try {
    const { rows } = await client.query<{ locked: boolean }>("select pg_try_advisory_lock($1, $2) as locked", [SYNC_LOCK, connectionId]);
    if (!rows[0]?.locked) throw new AppError("busy", `A run of ${name} is in progress. Wait for it to end.`);
    try {
      return await work(lost.signal);
    } finally {
      await client.query("select pg_advisory_unlock($1, $2)", [SYNC_LOCK, connectionId]).catch(() => {
        // The server is gone, and the lock with it.
        broken = true;
      });
    }
  } finally {
    client.off("error", onError);
    client.release(broken);
  }
}
