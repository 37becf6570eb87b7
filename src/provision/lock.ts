import type pg from "pg";
import type { Context } from "../context.ts";
import { lostToAnother } from "../db/contention.ts";
import type { Database, Sql, Work } from "../db/database.ts";

export interface LockedWork {
  /** The client that holds the lock; short transactions go through it. */
  sql: Sql;
  /** Runs one transaction on the locked client; again, when it deadlocked with somebody else's. It writes to the database alone. */
  transaction<T>(work: (work: Work) => Promise<T>): Promise<T>;
}

export interface LockOptions<T> {
  db: Database;
  /** What is locked, over all nodes: `deliver:17`. */
  name: string;
  work: (locked: LockedWork) => Promise<T>;
}

/**
 * Runs `work` while this process alone holds the named lock; says "busy" when somebody else does. It is a session's
 * advisory lock, not a row's: a target may take half a minute to answer, and nobody who marks the row must wait for it.
 * A killed process loses its session, and with it the lock.
 */
export async function withLock<T>(ctx: Context, { db, name, work }: LockOptions<T>): Promise<T | "busy"> {
  const client = await db.pool.connect();
  let broken: Error | undefined;
  // A server that goes away while the target answers must fail this job, not the process.
  const onError = (error: Error) => {
    broken = error;
  };
  client.on("error", onError);
  try {
    const { rows } = await client.query<{ locked: boolean }>("select pg_try_advisory_lock(hashtextextended($1, 0)) as locked", [name]);
    if (!rows[0]?.locked) return "busy";
    try {
      return await work({ sql: client, transaction: (inner) => retriedOn(client, ctx, inner) });
    } finally {
      // A client that can't say that it let go is not put back: its session still holds the lock.
      await client.query("select pg_advisory_unlock(hashtextextended($1, 0))", [name]).catch((error: Error) => {
        broken = error;
      });
    }
  } finally {
    client.off("error", onError);
    client.release(broken);
  }
}

const MOST_TRIES = 5;

async function retriedOn<T>(client: pg.PoolClient, ctx: Context, work: (work: Work) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await transactionOn(client, ctx, work);
    } catch (error) {
      if (tries === MOST_TRIES || !lostToAnother(error)) throw error;
    }
  }
}

async function transactionOn<T>(client: pg.PoolClient, ctx: Context, work: (work: Work) => Promise<T>): Promise<T> {
  await client.query("begin");
  try {
    const result = await work({ ctx, sql: client });
    await client.query("commit");
    return result;
  } catch (error) {
    // When this fails too the session is gone, and the transaction with it; the first error says more.
    await client.query("rollback").catch(() => undefined);
    throw error;
  }
}
