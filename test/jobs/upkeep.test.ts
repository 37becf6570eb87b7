import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createToken } from "../../src/auth/tokens.ts";
import { inTransaction } from "../../src/db/database.ts";
import { lookAfterThings } from "../../src/jobs/upkeep.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

const DAY_MS = 86_400_000;
const start = new Date("2027-01-01T00:00:00Z");
let db: TestDatabase;
let at = start;
const ctx = testContext({ now: () => at });
const count = async (from: string) => Number((await db.pool.query(`select count(*)::int as count from ${from}`)).rows[0].count);

beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db?.drop());

test("G5: a token that ends within two weeks is told of once, and again when its end was moved; one far from its end never", async () => {
  const make = (name: string, days: number) =>
    inTransaction(db, ctx, (work) => createToken(work, { name, scope: "api", expiresAt: new Date(start.getTime() + days * DAY_MS) }));
  const { id } = await make("soon", 10);
  await make("later", 100);
  const told = () => count("audit_events where name = 'token.ending'");
  await lookAfterThings(ctx, db);
  await lookAfterThings(ctx, db);
  expect(await told()).toBe(1);
  await db.pool.query("update tokens set expires_at = expires_at + interval '1 day' where id = $1", [id]);
  await lookAfterThings(ctx, db);
  expect(await told()).toBe(2);
});

test("answers kept for repeated creates are forgotten after a day", async () => {
  const keep = (key: string, hours: number) =>
    db.pool.query(
      "insert into idempotency_keys (caller, key, request_hash, status, answer, created_at) values ('c', $1, '', 201, '', $2)",
      [key, new Date(start.getTime() + hours * 3_600_000)],
    );
  await keep("old", 0);
  await keep("new", 23);
  at = new Date(start.getTime() + 30 * 3_600_000);
  await lookAfterThings(ctx, db);
  expect(await count("idempotency_keys")).toBe(1);
});

test("tries that failed are forgotten after thirty days, what came of them is not; counts of guards after the longest window", async () => {
  await db.pool.query("insert into connections (id, name, connector) values (7, 'app', 'scim')");
  const days = (ago: number) => new Date(at.getTime() - ago * DAY_MS);
  for (const [state, age] of [
    ["failed", 31],
    ["failed", 29],
    ["dead", 400],
    ["delivered", 400],
  ] as const)
    await db.pool.query(
      "insert into deliveries (projection_id, connection_id, operation, attempt, state, started_at, finished_at) values (1, 7, 'update', 1, $1, $2, $2)",
      [state, days(age)],
    );
  for (const age of [33, 31])
    await db.pool.query("insert into guard_counts (connection_id, at, action, count) values (7, $1, 'disable', 1)", [days(age)]);
  await lookAfterThings(ctx, db);
  const { rows } = await db.pool.query("select state, count(*)::int as count from deliveries group by state order by state");
  expect(rows).toEqual(["dead", "delivered", "failed"].map((state) => ({ state, count: 1 })));
  expect((await db.pool.query("select at from guard_counts")).rows).toEqual([{ at: days(31) }]);
});
