import { setTimeout as wait } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { openDatabase, type Database } from "../../src/db/database.ts";
import { eachRow } from "../../src/db/each-row.ts";
import { databaseIsGone, passingFailure } from "../../src/db/failures.ts";
import { openBreakingWire, type BreakingWire } from "../helpers/breaking-wire.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";

/** So that seconds of a real server are tenths of one here. */
const WATCH_EVERY_MS = 20;
/** Where nobody is to be cut off: a busy machine may take its time to let in who asks whether the database is there. */
const PATIENTLY_MS = 200;

let [server, wire, db] = [] as unknown as [TestDatabase, BreakingWire, Database];
const told: string[] = [];
beforeAll(async () => {
  server = await testDatabase();
});
afterAll(() => server.drop());
beforeEach(async () => {
  told.length = 0;
  const url = new URL(server.url);
  wire = await openBreakingWire({ host: url.hostname, port: Number(url.port) });
  watchEvery(WATCH_EVERY_MS);
});
function watchEvery(watchEveryMs: number): void {
  const url = new URL(server.url);
  url.port = String(wire.port);
  db = openDatabase({ url: url.href, poolSize: 2, watchEveryMs, onError: ({ message }) => told.push(message) });
}
async function watchPatiently(): Promise<void> {
  await db.close();
  watchEvery(PATIENTLY_MS);
}
afterEach(async () => {
  wire.hush(false);
  await db.close();
  await wire.stop();
});

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "it was answered",
    (error: unknown) => error,
  );

describe("invariant 3: a database that says nothing any more", () => {
  test("who waits for it is told, whichever way they ask; who comes is refused, and everything goes on when it speaks again", async () => {
    const { pool, readPool, requestPool } = db;
    await Promise.all([pool, readPool, requestPool].map((each) => each.query("select 1")));
    const client = await pool.connect();
    await client.query("begin");
    wire.hush(true);
    const failures = await Promise.all([
      failure(client.query("select 1")),
      failure(readPool.query({ name: "known", text: "select 1" })),
      failure(requestPool.query("select 1")),
      failure(eachRow(readPool, { text: "select generate_series(1, 3)", values: [] }, () => undefined)),
    ]);
    client.release(true);
    expect(failures.map(databaseIsGone)).toEqual([true, true, true, true]);
    // Four times as many as there is room for: nobody waits in line for a connection that is not to be had.
    const later = await Promise.all(Array.from({ length: 8 }, () => failure(pool.query("select 1"))));
    expect(later.map((error) => passingFailure(error)?.code)).toEqual(later.map(() => "unavailable"));
    expect(told.filter((message) => message.startsWith("the database says nothing"))).toHaveLength(1);
    wire.hush(false);
    while (typeof (await failure(pool.query("select 1"))) !== "string") await wait(WATCH_EVERY_MS);
    const rows: object[] = [];
    await eachRow(readPool, { text: "select generate_series(1, 3) as n", values: [] }, (row) => rows.push(row));
    expect(rows).toHaveLength(3);
  });

  test("whoever is only slow is left to it, and so is a transaction that nobody goes on with", async () => {
    await watchPatiently();
    const client = await db.pool.connect();
    await client.query("begin");
    const text = "select pg_sleep(2.5)";
    await Promise.all([db.pool.query(text), eachRow(db.readPool, { text, values: [] }, () => undefined)]);
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    await client.query("commit");
    client.release();
    expect(told).toEqual([]);
  });

  test("closing does not wait for it", async () => {
    await Promise.all([db.pool, db.readPool].map((each) => each.query("select 1")));
    wire.hush(true);
    await db.close();
    const url = new URL(server.url);
    db = openDatabase({ url: url.href, poolSize: 1 });
  });

  test("connections that are never let in are given up", async () => {
    wire.hush(true);
    const failures = await Promise.all(Array.from({ length: 6 }, () => failure(db.readPool.query("select 1"))));
    expect(failures.map(databaseIsGone)).toEqual(failures.map(() => true));
  });

  test("where new connections fail at once for a moment, those that are there are left alone", async () => {
    await watchPatiently();
    await Promise.all([db.pool, db.readPool].map((each) => each.query("select 1")));
    const going = db.pool.query("select pg_sleep(2.5) as done");
    wire.refuse(true);
    // One look at it, and one more soon after.
    await wait(7 * PATIENTLY_MS);
    wire.refuse(false);
    expect((await going).rows).toHaveLength(1);
    expect(told).toEqual([]);
  });
});
