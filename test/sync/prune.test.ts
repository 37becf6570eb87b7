import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { pruneRuns } from "../../src/sync/prune.ts";
import { showPlan } from "../../src/sync/plans.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { put, world } from "../helpers/memory-source.ts";
import { person, syncWorld, testConnection } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeEach(async () => {
  db = await testDatabase();
  await testConnection(db, ctx);
});
afterEach(() => db.drop());

test("details of plans that ended more than thirty days ago go, their counts stay; younger and waiting plans are kept", async () => {
  const corp = world([person("ada"), person("bob")]);
  const planOf = async () => {
    await syncWorld(db, ctx, { world: corp });
    return (await db.pool.query<{ id: number }>("select max(id)::int as id from plans")).rows[0]?.id ?? 0;
  };
  const old = await planOf();
  put(corp, person("cyd"));
  const young = await planOf();
  put(corp, person("dee"));
  const waiting = await planOf();
  await db.pool.query("update plans set applied_at = now() - interval '31 days' where id = $1", [old]);
  await db.pool.query("update plans set state = 'held', applied_at = null, closed_at = now() - interval '31 days' where id = $1", [
    waiting,
  ]);

  expect(await pruneRuns(ctx, db)).toBeGreaterThan(0);

  expect((await showPlan(db.pool, { planId: old })).counts).toEqual({ user: { create: 2 } });
  const { rows } = await db.pool.query<{ plan_id: number }>("select distinct plan_id::int from plan_items order by plan_id");
  expect(rows.map((row) => row.plan_id)).toEqual([young, waiting]);
  expect(await pruneRuns(ctx, db)).toBe(0);
});
