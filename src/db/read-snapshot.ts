import type { Context } from "../context.ts";
import type { Database, Work } from "./database.ts";

/** Runs `read` in a transaction that only reads, and in which every statement sees the same state of the database. */
export async function inReadSnapshot<T>(db: Database, ctx: Context, read: (work: Work) => Promise<T>): Promise<T> {
  const client = await db.pool.connect();
  let broken: Error | undefined;
  const onError = (error: Error) => (broken = error);
  client.on("error", onError);
  try {
    await client.query("begin transaction isolation level repeatable read read only");
    return await read({ ctx, sql: client });
  } finally {
    await client.query("rollback").catch((error: Error) => {
      // The server is gone: don't put the client back into the pool.
      broken = error;
    });
    client.off("error", onError);
    client.release(broken);
  }
}
