import { afterEach, describe, expect, test } from "@jest/globals";
import { inTransaction } from "../../src/db/database.ts";
import { enqueue } from "../../src/db/queue.ts";
import { startQueue, type Handlers, type Queue } from "../../src/jobs/queue.ts";
import { wakeDeliveries } from "../../src/provision/decision.ts";
import { silentLog, testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { until } from "./waiting.ts";

let db: TestDatabase;
let queues: Queue[] = [];
afterEach(async () => {
  for (const queue of queues) await queue.stop();
  queues = [];
  await db.drop();
});

const start = async (handlers: Handlers, options: { drainMs?: number } = {}): Promise<Queue> => {
  const queue = await startQueue({ db, log: silentLog, handlers, concurrency: 2, watchMs: 50, ...options });
  queues.push(queue);
  return queue;
};
const sync = (connectionId: number) => enqueue(db.pool, { job: "sync", payload: { connectionId, mode: "full", trigger: "api" } });

describe("the queue", () => {
  const keyed = () => enqueue(db.pool, { job: "sync", payload: { connectionId: 1, mode: "full", trigger: "api" }, key: "one" });
  test.each([
    { how: "alone", add: keyed, key: "one" },
    { how: "with others", add: () => inTransaction(db, testContext(), (work) => wakeDeliveries(work, [1, 2])), key: "deliver:1" },
  ])("a job is added $how though the one before it begins at that moment", async ({ add, key }) => {
    db = await testDatabase();
    await add();
    const beginning = await db.pool.connect();
    try {
      await beginning.query("begin");
      await beginning.query("update graphile_worker._private_jobs set locked_at = now(), locked_by = 'worker' where key = $1", [key]);
      const added = add();
      await until(
        async () =>
          (await db.pool.query("select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")).rowCount,
        (count) => count === 1,
      );
      await beginning.query("commit");
      await added;
    } finally {
      beginning.release();
    }
    const { rows } = await db.pool.query("select locked_by from graphile_worker._private_jobs where key = $1", [key]);
    expect(rows).toEqual([{ locked_by: null }]);
  });

  test("hands each job to its handler, with a context of its own", async () => {
    db = await testDatabase();
    const seen: { connectionId: number; correlation: string }[] = [];
    await start({ sync: async (ctx, { connectionId }) => void seen.push({ connectionId, correlation: ctx.correlationId }) });
    await sync(1);
    await sync(2);
    await until(
      () => seen.length,
      (count) => count === 2,
    );
    expect(seen.map(({ connectionId }) => connectionId).sort()).toEqual([1, 2]);
    expect(new Set(seen.map(({ correlation }) => correlation)).size).toBe(2);
  });

  test("a job that does not end in time is aborted and given back", async () => {
    db = await testDatabase();
    let aborted = false;
    let begun = false;
    const queue = await start(
      {
        sync: (ctx) =>
          new Promise((_resolve, reject) => {
            begun = true;
            ctx.signal.addEventListener("abort", () => {
              aborted = true;
              reject(new Error("stopped"));
            });
          }),
      },
      { drainMs: 100 },
    );
    await sync(1);
    await until(() => begun, Boolean);
    queues = [];
    await queue.stop();
    expect(aborted).toBe(true);
    const { rows } = await db.pool.query("select locked_by, attempts < max_attempts as again from graphile_worker.jobs");
    expect(rows).toEqual([{ locked_by: null, again: true }]);
  });

  test("invariant 10: a dead node's jobs and open runs are taken up; a living node's are not", async () => {
    db = await testDatabase();
    const never = () => new Promise<void>(() => undefined);
    const living = await start({ sync: never }, { drainMs: 10 });
    await sync(7);
    await until(
      async () => (await db.pool.query("select from graphile_worker.jobs where locked_by is not null")).rowCount,
      (count) => count === 1,
    );
    // A node whose process is gone: a row, jobs in its workers' names, and nobody who holds its lock.
    await db.pool.query("insert into connections (name, connector) values ('ldap', 'ldap')");
    await db.pool.query(
      "insert into runs (connection_id, mode, trigger, state, started_at) select id, 'full', 'cli', 'applying', now() from connections",
    );
    await enqueue(db.pool, { job: "deliver", payload: { projectionId: 1 }, queue: "q" });
    await db.pool.query(
      "update graphile_worker._private_jobs j set locked_at = now(), locked_by = 'worker-dead' from graphile_worker._private_tasks t where t.id = j.task_id and t.identifier = 'deliver'",
    );
    await db.pool.query("update graphile_worker._private_job_queues set locked_at = now(), locked_by = 'worker-dead'");
    await db.pool.query("insert into nodes (id, started_at, lock_key, workers) values ('dead', now(), 42, array['worker-dead'])");
    const done: number[] = [];
    await start({ deliver: async (_ctx, { projectionId }) => void done.push(projectionId) });
    await until(
      () => done.length,
      (count) => count === 1,
    );
    const { rows } = await db.pool.query<{ id: string }>("select id from nodes");
    expect(rows.map(({ id }) => id)).toContain(living.node.id);
    expect(rows.map(({ id }) => id)).not.toContain("dead");
    const jobs = async () =>
      (
        await db.pool.query<{ key: string | null; locked: boolean }>(
          "select key, locked_by is not null as locked from graphile_worker.jobs where task_identifier = 'sync' order by id",
        )
      ).rows;
    expect(await until(jobs, (seen) => seen.length === 2 && seen.every(({ locked }) => locked))).toEqual([
      { key: null, locked: true },
      { key: expect.stringMatching(/^sync:\d+:recovery$/), locked: true },
    ]);
  });

  test("a node that loses the connection that shows its life joins again, and keeps its workers' names", async () => {
    db = await testDatabase();
    const queue = await start({ sync: async () => undefined });
    await db.pool.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'rollcall:node:%' and datname = current_database()",
    );
    await db.pool.query("delete from nodes");
    const { rows } = await until(
      () => db.pool.query<{ id: string; workers: string[] }>("select id, workers from nodes"),
      (result) => result.rows.length === 1,
    );
    expect(rows[0]?.id).toBe(queue.node.id);
    expect(rows[0]?.workers).toHaveLength(2);
  });
});
