import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { mostConnections, tooFewConnections } from "../../src/db/enough-connections.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";

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
