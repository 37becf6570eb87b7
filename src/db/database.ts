import { PrismaPg } from "@prisma/adapter-pg";
import pg from "pg";
import type { Context } from "../context.ts";
import { PrismaClient } from "./generated/client.ts";
import { createStatementNames, type StatementNames } from "./statement-names.ts";

/** Anything that runs SQL: the pool, or one client inside a transaction. */
export type Sql = Pick<pg.ClientBase, "query">;

/** What one flow works with: who asks, and the connection (mostly inside a transaction) that it reads and writes through. */
export interface Work {
  readonly ctx: Context;
  readonly sql: Sql;
}

/** One pool, shared by raw SQL, Prisma and the queue. */
export interface Database {
  readonly url: string;
  readonly pool: pg.Pool;
  readonly prisma: PrismaClient;
  /** Names for statements that come again: PostgreSQL plans a named one once for each connection. */
  readonly statementNames: StatementNames;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  url: string;
  /** Most connections at once; 10 when absent. */
  poolSize?: number;
  onError?: (error: Error) => void;
}

// bigint columns are row ids, far below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

export function openDatabase({ url, poolSize = 10, onError }: DatabaseOptions): Database {
  const pool = new pg.Pool({ connectionString: url, max: poolSize, application_name: `rollcall:${process.pid}` });
  // An idle client that loses its server must not end the process; the next query gets a fresh one.
  pool.on("error", (error) => onError?.(error));
  // The same holds for one that is checked out, between two queries: its next query fails where it is awaited.
  pool.on("connect", (client) => client.on("error", () => undefined));
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool, { disposeExternalPool: false }) });
  return {
    url,
    pool,
    prisma,
    statementNames: createStatementNames(),
    async close() {
      await prisma.$disconnect();
      await pool.end();
    },
  };
}

/** Runs `work` in one transaction (read committed); anything thrown rolls it back. */
export async function inTransaction<T>(db: Database, ctx: Context, work: (work: Work) => Promise<T>): Promise<T> {
  const client = await db.pool.connect();
  let broken: Error | undefined;
  // A server that goes away between two statements says so here; the next statement fails, and the client is not used again.
  const onError = (error: Error) => (broken = error);
  client.on("error", onError);
  try {
    await client.query("begin");
    const result = await work({ ctx, sql: client });
    await client.query("commit");
    return result;
  } catch (error) {
    await client.query("rollback").catch((rollbackError: Error) => {
      // The server is gone: the transaction is, too. Don't put the client back into the pool.
      broken = rollbackError;
    });
    throw error;
  } finally {
    client.off("error", onError);
    client.release(broken);
  }
}
