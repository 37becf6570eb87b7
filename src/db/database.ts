import { PrismaPg } from "@prisma/adapter-pg";
import { availableParallelism } from "node:os";
import pg from "pg";
import type { Context } from "../context.ts";
import type { WaitingMarks } from "../directory/outbox.ts";
import { PrismaClient } from "./generated/client.ts";
import { createCommonWords, type CommonWords } from "./common-words.ts";
import { createReadingTurns, type ReadingTurns } from "./reading-turns.ts";
import { SESSION } from "./session.ts";
import { createSharedReads, type SharedReads } from "./shared-reads.ts";
import { watchSilence } from "./silence.ts";
import { createStatementNames, type StatementNames } from "./statement-names.ts";

/** Anything that runs SQL: the pool, or one client inside a transaction. */
export type Sql = Pick<pg.ClientBase, "query">;

/** What one flow works with: who asks, and the connection (mostly inside a transaction) that it reads and writes through. */
export interface Work {
  readonly ctx: Context;
  readonly sql: Sql;
  /** Within a flow that marks once, at its end: what it has marked so far (directory/outbox.ts). */
  readonly marks?: WaitingMarks;
}

/** One pool, shared by raw SQL, Prisma and the queue; and a smaller one beside it for reading, which no other work waits behind. */
export interface Database {
  readonly url: string;
  readonly pool: pg.Pool;
  readonly prisma: PrismaClient;
  /** For statements made of what a client asks: they only read, are cut off after LONGEST_READ_MS, and are planned once for whatever values come. */
  readonly readPool: pg.Pool;
  /** For single statements that look or write for one request: long ones that come again and again, planned once, and cut off after LONGEST_BY_KEY_MS. */
  readonly requestPool: pg.Pool;
  /** Small reads of one form, run together under load; over the read pool. */
  readonly sharedReads: SharedReads;
  /** The same for those that find little by what is indexed, however many there were when they were planned. */
  readonly keyedReads: SharedReads;
  /** For lists, which read the most: as many at once as there are processors, and never all connections of the read pool. */
  readonly listTurns: ReadingTurns;
  /** Names for statements that come again: PostgreSQL plans a named one once for each connection. */
  readonly statementNames: StatementNames;
  /** Of searches for people: what leads to few is looked for in another way than what leads to many. */
  readonly commonWords: CommonWords;
  /** A connection beside the pools, not opened yet; it too is ended when the database falls silent. */
  ownClient(applicationName: string): pg.Client;
  /** Aborts when it begins to close: for connections that somebody holds beside the pools. */
  readonly closing: AbortSignal;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  url: string;
  /** Most connections at once; 10 when absent. */
  poolSize?: number;
  onError?: (error: Error) => void;
  /** How often connections are looked at, lest somebody waits for a database that says nothing; a second when absent. */
  watchEveryMs?: number;
}

// bigint columns are row ids, far below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

/** How long a connection that nobody uses is kept: what was planned on it is planned anew on the next. */
const KEPT_IDLE_MS = 300_000;
/** Longest that a statement of the read pool may run. */
const LONGEST_READ_MS = 5000;
/** The same for what looks or writes for one request by key: it takes milliseconds, unless somebody holds what it waits for. */
const LONGEST_BY_KEY_MS = 30_000;
/** Nobody waits longer than this behind lists that take long, while there are connections: under load a list waits for a third of it. */
const LIST_PATIENCE_MS = 200;
/** Left to itself, the planner plans such statements anew for each value, which costs several times their execution. */
const PLANNED_ONCE = "set plan_cache_mode = force_generic_plan";
const READ_SETTINGS = `set statement_timeout = ${LONGEST_READ_MS}; set default_transaction_read_only = on; ${PLANNED_ONCE}`;
/** A plan that was made while a table was empty would read all of it until statistics are gathered anew: these statements look up by key, always. */
const BY_KEY = "set enable_seqscan = off";

export function openDatabase({ url, poolSize = 10, onError, watchEveryMs }: DatabaseOptions): Database {
  const silence = watchSilence({ url, onError, everyMs: watchEveryMs });
  const poolOf = (purpose: string, { max, settings }: { max: number; settings?: string }) => {
    const made = new pg.Pool({
      connectionString: url,
      Client: silence.Client,
      keepAlive: true,
      max,
      idleTimeoutMillis: KEPT_IDLE_MS,
      application_name: `rollcall:${process.pid}${purpose}`,
      async onConnect(client) {
        await client.query(settings ? `${SESSION}; ${settings}` : SESSION);
      },
    });
    // An idle client that loses its server must not end the process; the next query gets a fresh one.
    made.on("error", (error) => onError?.(error));
    // The same holds for one that is checked out, between two queries: its next query fails where it is awaited.
    made.on("connect", (client) => client.on("error", () => undefined));
    return made;
  };
  const pool = poolOf("", { max: poolSize });
  const readers = Math.max(2, Math.ceil(poolSize / 2));
  const readPool = poolOf(":read", { max: readers, settings: READ_SETTINGS });
  const keyPool = poolOf(":key", { max: Math.max(2, Math.ceil(poolSize / 2)), settings: `${READ_SETTINGS}; ${BY_KEY}` });
  const requestPool = poolOf(":request", {
    max: poolSize,
    settings: `set statement_timeout = ${LONGEST_BY_KEY_MS}; ${PLANNED_ONCE}; ${BY_KEY}`,
  });
  const closing = new AbortController();
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool, { disposeExternalPool: false }) });
  return {
    url,
    pool,
    prisma,
    readPool,
    requestPool,
    sharedReads: createSharedReads(readPool),
    keyedReads: createSharedReads(keyPool),
    // More at once would take turns at the processors all the same, and a long one would take as long as all that it shares them with.
    listTurns: createReadingTurns({
      atOnce: Math.min(readers - 1, availableParallelism()),
      atMost: readers - 1,
      patienceMs: LIST_PATIENCE_MS,
    }),
    statementNames: createStatementNames(),
    commonWords: createCommonWords(),
    ownClient: (applicationName) => new silence.Client({ connectionString: url, keepAlive: true, application_name: applicationName }),
    closing: closing.signal,
    async close() {
      closing.abort();
      await prisma.$disconnect();
      silence.ending();
      await Promise.all([pool.end(), readPool.end(), keyPool.end(), requestPool.end()]);
      silence.stop();
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
