import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { inTransaction } from "../../src/db/database.ts";
import { enqueue } from "../../src/db/queue.ts";
import { startWorker, type Worker } from "../../src/jobs/worker.ts";
import { withSyncLock } from "../../src/sync/lock.ts";
import { world } from "../helpers/memory-source.ts";
import { loopback, silentLog, testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";
import { until } from "./waiting.ts";

let db: TestDatabase;
let worker: Worker | undefined;
const ctx = testContext();
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(async () => {
  await worker?.stop();
  await db?.drop();
});

test("a remap that meets a running sync is put off, comes again, and is done", async () => {
  const name = await testConnection(db, ctx);
  await syncWorld(db, ctx, { connection: name, world: world([person("ada", { title: "Engineer" })]) });
  const { rows } = await db.pool.query<{ id: number }>(
    `update connections set mapping_version = mapping_version + 1,
       mapping = jsonb_set(mapping, '{user,attributes,title}', '"\\"Dr. \\" + account.title"') returning id`,
  );
  const connectionId = rows[0]?.id ?? 0;
  const remaps = async () => (await db.pool.query<{ state: string }>("select state from runs where mode = 'remap'")).rows;
  const waiting = async () =>
    (
      await db.pool.query<{ id: string; attempts: number }>(
        "select id, attempts from graphile_worker.jobs where key = $1 and locked_at is null",
        [`sync:${connectionId}:remap`],
      )
    ).rows;
  const title = async () => (await db.pool.query<{ title: string }>("select attributes->>'title' as title from people")).rows[0]?.title;

  await withSyncLock(db, { connectionId, name }, async () => {
    const payload = { connectionId, mode: "remap", trigger: "recovery" } as const;
    await inTransaction(db, ctx, ({ sql }) => enqueue(sql, { job: "sync", payload, key: `sync:${connectionId}:remap` }));
    const [asked] = await waiting();
    worker = await startWorker({
      ...{ db, keyRing: testKeyRing, log: silentLog, now: ctx.now },
      config: { worker: { concurrency: 2 }, outbound: { allow: [...loopback.allow], direct: [] } },
    });
    // Another job of that key, later: the one that met the sync is over, and is no failure that is tried again.
    const [later] = await until(waiting, ([job]) => job !== undefined && job.id !== asked?.id);
    expect(later?.attempts).toBe(0);
    expect([await remaps(), await title()]).toEqual([[], "Engineer"]);
  });
  await until(remaps, ([run]) => run?.state === "done");
  expect(await title()).toBe("Dr. Engineer");
  expect([await waiting(), (await remaps()).length]).toEqual([[], 1]);
});
