import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { inTransaction } from "../../src/db/database.ts";
import { withLock } from "../../src/provision/lock.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

let db: TestDatabase;
const ctx = testContext();
beforeAll(async () => {
  db = await testDatabase();
  await db.pool.query("insert into watermarks (key, at) values ('first', now()), ('second', now())");
});
afterAll(() => db.drop());

test("what deadlocks with somebody else's transaction under a lock is done again, and both are through", async () => {
  const take = "update watermarks set at = at + interval '1 second' where key = $1 returning key";
  let bothHold = () => {};
  const both = new Promise<void>((resolve) => (bothHold = resolve));
  let holding = 0;
  const arrive = async () => {
    if (++holding === 2) bothHold();
    await both;
  };
  let tries = 0;
  const other = inTransaction(db, ctx, async ({ sql }) => {
    // Whoever waits for longer finds the deadlock, and gives way.
    await sql.query("set local deadlock_timeout = '1min'");
    await sql.query(take, ["first"]);
    await arrive();
    await sql.query(take, ["second"]);
  });
  const mine = withLock(ctx, {
    db,
    name: "test",
    work: ({ transaction }) =>
      transaction(async ({ sql }) => {
        tries += 1;
        await sql.query("set local deadlock_timeout = '100ms'");
        await sql.query(take, ["second"]);
        await arrive();
        await sql.query(take, ["first"]);
        return "through";
      }),
  });
  await expect(Promise.all([mine, other])).resolves.toEqual(["through", undefined]);
  expect(tries).toBe(2);
  const { rows } = await db.pool.query("select count(distinct at)::int as instants from watermarks");
  expect(rows).toEqual([{ instants: 1 }]);
});
