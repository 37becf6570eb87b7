import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { mostConnections, tooFewConnections, tooFewLent } from "../../src/db/enough-connections.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";
import { startPooler } from "../helpers/pooler.ts";

let db: TestDatabase;

beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db?.drop());

test("a node says at its start when the database gives it fewer connections than it may come to need", async () => {
  const needed = mostConnections(16);
  expect(needed).toBe(55);
  expect(await tooFewConnections(db.pool, 20)).toBeUndefined();
  expect(await tooFewConnections(db.pool, 100_000)).toMatch(/^PostgreSQL gives \d+ connections .* may hold 100000 under load/);
  await db.pool.query(`alter database ${new URL(db.url).pathname.slice(1)} connection limit 24`);
  expect(await tooFewConnections(db.pool, needed)).toMatch(/^PostgreSQL gives 24 connections .* may hold 55 under load/);
});

test("a pooler that lends fewer sessions than a node may come to need is found out at its start; PostgreSQL itself is not asked for any", async () => {
  expect(await tooFewLent(db.url, 100_000)).toBeUndefined();
  const pooler = await startPooler(db.url, { lends: "a session", most: 10 });
  try {
    expect(await tooFewLent(pooler.url, 30)).toMatch(
      /^The pooler of DATABASE_URL lends 10 more sessions at once, and this node may hold 30/,
    );
    expect(await tooFewLent(pooler.url, 15)).toBeUndefined();
  } finally {
    await pooler.close();
  }
});
