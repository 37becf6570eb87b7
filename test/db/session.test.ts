import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { inTransaction, openDatabase, type Database } from "../../src/db/database.ts";
import { listen } from "../../src/db/listen.ts";
import { migrate } from "../../src/db/migrate.ts";
import { joinNodes } from "../../src/jobs/nodes.ts";
import { silentLog, testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

let made: TestDatabase;
let db: Database;

/** As administrators of servers and their templates set them. */
const DEFAULTS = [
  "datestyle = 'German, DMY'",
  "intervalstyle = 'sql_standard'",
  "bytea_output = 'escape'",
  "extra_float_digits = 0",
  "timezone = 'Asia/Kathmandu'",
  "default_transaction_isolation = 'serializable'",
  "jit = on",
  "statement_timeout = '150ms'",
  "lock_timeout = '150ms'",
  "idle_in_transaction_session_timeout = '150ms'",
  "idle_session_timeout = '150ms'",
];

beforeAll(async () => {
  made = await testDatabase();
  const name = new URL(made.url).pathname.slice(1);
  for (const each of DEFAULTS) await made.pool.query(`alter database ${name} set ${each}`);
  db = openDatabase({ url: made.url });
});
afterAll(async () => {
  await db?.close();
  await made?.drop();
});

test("instants, bytes and numbers are read as they are, whatever a database's own defaults", async () => {
  const instant = new Date("2026-03-04T05:06:07.089Z");
  for (const pool of [db.pool, db.readPool, db.requestPool]) {
    const { rows } = await pool.query(
      "select $1::timestamptz as at, $1::timestamptz::text as text, ($1::timestamptz)::date::text as day, to_json($1::timestamptz) as json, '\\x00ff5c'::bytea as bytes, 0.1::float8 + 0.2::float8 as number",
      [instant],
    );
    expect(rows[0]).toEqual({
      at: instant,
      text: "2026-03-04 05:06:07.089+00",
      day: "2026-03-04",
      json: "2026-03-04T05:06:07.089+00:00",
      bytes: Buffer.from([0x00, 0xff, 0x5c]),
      number: 0.1 + 0.2,
    });
  }
});

test("whoever waits for a row goes on with what the one before wrote, though a database's transactions are serializable", async () => {
  await made.pool.query("create table counted (number int not null)");
  await made.pool.query("insert into counted values (0)");
  const addOne = () =>
    inTransaction(db, testContext(), async ({ sql }) => {
      await sql.query("select 1");
      await sql.query("update counted set number = number + 1");
    });
  await Promise.all(Array.from({ length: 20 }, addOne));
  expect((await db.pool.query("select number from counted")).rows).toEqual([{ number: 20 }]);
});

test("nothing is compiled before it runs", async () => {
  for (const pool of [db.pool, db.readPool, db.requestPool])
    expect((await pool.query("select current_setting('jit') as jit")).rows).toEqual([{ jit: "off" }]);
});

test("no limit of time that a database or a role has by default ends what takes longer", async () => {
  await inTransaction(db, testContext(), async ({ sql }) => {
    await sql.query("select pg_sleep(0.4)");
    await sleep(400);
    await sql.query("select 1");
  });
  await expect(migrate(made.url)).resolves.toEqual([]);
});

test("who listens, and who shows that a node lives, is not put out for having said nothing", async () => {
  const ends: string[] = [];
  const listener = await listen({
    url: made.url,
    channel: "quiet",
    applicationName: "quiet",
    onNotification: () => undefined,
    onEnd: () => ends.push("listener"),
  });
  const node = await joinNodes({ db, log: silentLog, watchMs: 60_000 });
  const present = () =>
    made.pool.query("select from pg_stat_activity where application_name = $1", [`rollcall:node:${node.id}`.slice(0, 63)]);
  await sleep(600);
  expect(ends).toEqual([]);
  expect((await present()).rowCount).toBe(1);
  listener.close();
  await node.leave();
});

test("a node that is cut off without a farewell holds its locks for half a minute, not for hours", async () => {
  const seconds =
    "select current_setting('tcp_keepalives_idle')::int + current_setting('tcp_keepalives_interval')::int * current_setting('tcp_keepalives_count')::int as most";
  for (const pool of [db.pool, db.readPool, db.requestPool]) expect((await pool.query(seconds)).rows).toEqual([{ most: 30 }]);
  expect((await db.pool.query("show tcp_user_timeout")).rows).toEqual([{ tcp_user_timeout: "30000" }]);
});
