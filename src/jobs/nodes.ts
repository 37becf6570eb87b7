import { randomInt, randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type pg from "pg";
import type { Logger } from "pino";
import { createContext, type Context } from "../context.ts";
import { inTransaction, type Database, type Work } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";
import { SESSION } from "../db/session.ts";

/** This process among those that work on one database. */
export interface Node {
  id: string;
  /** Called before a worker takes its first job, so that no job is ever held by a worker that nobody can name. */
  addWorker(workerId: string): Promise<void>;
  /** Frees whatever the workers of this node still hold, and forgets them. */
  releaseWorkers(): Promise<void>;
  leave(): Promise<void>;
}

export interface NodesOptions {
  db: Database;
  log: Logger;
  watchMs: number;
  now?: () => Date;
}

/**
 * Joins: a row that names the workers, and an advisory lock that lives as long as this process does. Every node looks for
 * rows whose lock is free, frees their jobs (the queue itself would wait for four hours) and wakes what they left open.
 */
export async function joinNodes({ db, log, watchMs, now }: NodesOptions): Promise<Node> {
  const id = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`;
  const lockKey = randomInt(2 ** 47);
  const ctx = createContext({ actor: "system", log, ...(now ? { now } : {}) });
  const workers = new Set<string>();
  let holder: pg.Client | undefined;
  let leaving = false;

  /** The lock first, then the row: a row without a lock is a dead node's. */
  async function register(): Promise<void> {
    const client = db.ownClient(`rollcall:node:${id}`);
    client.on("error", (error) => {
      log.warn({ err: error }, "the connection that shows that this node lives was lost");
      holder = undefined;
    });
    client.on("end", () => {
      if (holder === client) holder = undefined;
    });
    await client.connect();
    try {
      await client.query(SESSION);
      await client.query("select pg_advisory_lock($1)", [lockKey]);
      await client.query(
        "insert into nodes (id, started_at, lock_key, workers) values ($1, $2, $3, $4) on conflict (id) do update set workers = excluded.workers",
        [id, ctx.now(), lockKey, [...workers]],
      );
      holder = client;
    } catch (error) {
      await client.end();
      throw error;
    }
  }

  async function watch(): Promise<void> {
    if (leaving) return;
    try {
      if (!holder) await register();
      if (holder) await takeOverDead(ctx, { db, holder, self: id });
    } catch (error) {
      log.warn({ err: error }, "looking for dead nodes failed; tried again soon");
    }
  }

  await register();
  await watch();
  let watching: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    watching = watching.then(watch);
  }, watchMs);
  timer.unref();

  return {
    id,
    async addWorker(workerId) {
      workers.add(workerId);
      // Appended, not replaced: workers start at once, and their statements may arrive in any order.
      await db.pool.query("update nodes set workers = array_append(workers, $2) where id = $1", [id, workerId]);
    },
    async releaseWorkers() {
      await db.pool.query("select graphile_worker.force_unlock_workers($1)", [[...workers]]);
      workers.clear();
    },
    async leave() {
      leaving = true;
      clearInterval(timer);
      await watching;
      await inTransaction(db, ctx, async ({ sql }) => {
        await sql.query("select graphile_worker.force_unlock_workers($1)", [[...workers]]);
        await sql.query("delete from nodes where id = $1", [id]);
      });
      await holder?.end();
    },
  };
}

interface TakeOverOptions {
  db: Database;
  holder: pg.Client;
  self: string;
}

async function takeOverDead(ctx: Context, { db, holder, self }: TakeOverOptions): Promise<void> {
  const { rows: others } = await db.pool.query<{ id: string; lock_key: number }>("select id, lock_key from nodes where id <> $1", [self]);
  for (const { id, lock_key: lockKey } of others) {
    const { rows } = await holder.query<{ free: boolean }>("select pg_try_advisory_lock($1) as free", [lockKey]);
    if (!rows[0]?.free) continue;
    try {
      await inTransaction(db, ctx, (work) => takeOver(work, id));
    } finally {
      await holder.query("select pg_advisory_unlock($1)", [lockKey]);
    }
  }
}

/** Frees the dead node's jobs, and wakes the syncs whose runs are open: whichever of them still lives answers "busy". */
async function takeOver({ ctx, sql }: Work, nodeId: string): Promise<void> {
  const { rows } = await sql.query<{ workers: string[] }>("delete from nodes where id = $1 returning workers", [nodeId]);
  const dead = rows[0];
  if (!dead) return;
  await sql.query("select graphile_worker.force_unlock_workers($1)", [dead.workers]);
  const { rows: open } = await sql.query<{ connection_id: number }>(
    "select distinct connection_id from runs where state in ('pulling', 'planned', 'applying') order by 1",
  );
  for (const { connection_id: connectionId } of open) {
    await enqueue(sql, {
      job: "sync",
      payload: { connectionId, mode: "incremental", trigger: "recovery" },
      key: `sync:${connectionId}:recovery`,
      maxAttempts: 3,
    });
  }
  ctx.log.warn({ node: nodeId, runs: open.length }, "a node died; its work is taken up");
}
