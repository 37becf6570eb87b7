import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { loadConnection } from "../../src/connections/open.ts";
import { inTransaction } from "../../src/db/database.ts";
import { startWorker, type Worker } from "../../src/jobs/worker.ts";
import { approvePlan } from "../../src/sync/approve.ts";
import { requestRun } from "../../src/sync/request-run.ts";
import { put, world } from "../helpers/memory-source.ts";
import { loopback, silentLog, testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { person, syncWorld, testConnection, testKeyRing, unit } from "../helpers/sync.ts";
import { until } from "./waiting.ts";

let db: TestDatabase;
let worker: Worker | undefined;
const ctx = testContext();
beforeEach(async () => {
  db = await testDatabase();
});
afterEach(async () => {
  await worker?.stop();
  worker = undefined;
  await db.drop();
});

const THE_ONE_AT_WORK = "select pg_backend_pid() as pid";
const THE_LOCKS_HOLDER = `select pid from pg_locks join pg_database on oid = database
  where locktype = 'advisory' and classid = 7305002 and datname = current_database()`;

/** The next row that goes into the table takes a backend with it, once: sequences know nothing of transactions. */
const killAt = (table: string, backend: string) =>
  db.pool.query(`create sequence killing;
    create function kill() returns trigger language plpgsql as $$ begin
      if nextval('killing') = 1 then perform pg_terminate_backend(pid) from (${backend}) b; perform pg_sleep(0.2); end if;
      return new; end $$;
    create trigger kill before insert on ${table} for each row execute function kill()`);

const startWorking = async () => {
  worker = await startWorker({
    ...{ db, keyRing: testKeyRing, log: silentLog, now: ctx.now },
    config: { worker: { concurrency: 2 }, outbound: { allow: [...loopback.allow], direct: [] } },
  });
};
const connection = () => loadConnection(db.pool, testKeyRing, "corp");
const titles = async () => (await db.pool.query<{ title: string }>("select attributes->>'title' as title from people")).rows;

test.each([
  ["the backend that works", THE_ONE_AT_WORK],
  ["the backend that holds the connection's lock", THE_LOCKS_HOLDER],
])("a run that loses %s says so, is no failure of the system that it reads, and is made again by itself", async (_which, backend) => {
  await testConnection(db, ctx, { limits: { failures: 1 } });
  await syncWorld(db, ctx, { world: world([unit("Lab"), person("ada", { title: "Engineer" })]) });
  await db.pool.query(
    `update connections set mapping_version = mapping_version + 1, mapping = jsonb_set(mapping, '{user,attributes,title}', '"\\"Dr. \\" + account.title"')`,
  );
  await killAt("plan_items", backend);
  const asked = await connection();
  await inTransaction(db, ctx, (work) => requestRun(work, { connection: asked, mode: "remap", planOnly: false }));
  await startWorking();
  const runs = () =>
    db.pool.query<{ state: string; code: string | null; message: string | null }>(
      "select state, error_code as code, error_message as message from runs where mode = 'remap' order by id",
    );
  const { rows } = await until(runs, ({ rows: [, again] }) => again?.state === "done" || again?.state === "failed");
  expect(rows).toEqual([
    { state: "failed", code: "unavailable", message: expect.stringMatching(/database/) },
    { state: "done", code: null, message: null },
  ]);
  expect(await titles()).toEqual([{ title: "Dr. Engineer" }]);
  expect(await connection()).toMatchObject({ state: "ready", row: { failures: 0 } });
});

test("an approved plan that loses the connection's lock half-way is carried through", async () => {
  await testConnection(db, ctx);
  const source = world([unit("Lab"), person("ada", { title: "Engineer" })]);
  await syncWorld(db, ctx, { world: source });
  put(source, { ...unit("Lab"), attributes: { ou: "Laboratory" } });
  put(source, person("ada", { title: "Head" }));
  const { planId } = await syncWorld(db, ctx, { world: source, planOnly: true });
  await killAt("plan_batches", THE_LOCKS_HOLDER);
  await inTransaction(db, ctx, (work) => approvePlan(work, { planId }));
  await startWorking();
  await until(titles, ([ada]) => ada?.title === "Head");
});
