import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { inTransaction } from "../../src/db/database.ts";
import { applyPlan } from "../../src/sync/apply-plan.ts";
import { approvePlan } from "../../src/sync/approve.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { world } from "../helpers/memory-source.ts";
import { person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

/** Enough that some are still to come when the first thousand are applied. */
const PEOPLE = 2400;

test("a first plan that waited for approval tells the planner of its accounts while it is applied, though nobody watches its progress", async () => {
  await testConnection(db, ctx);
  const source = world(Array.from({ length: PEOPLE }, (_, index) => person(`p${index}`)));
  const { planId } = await syncWorld(db, ctx, { world: source, planOnly: true });
  await inTransaction(db, ctx, (work) => approvePlan(work, { planId }));
  await applyPlan(ctx, { db, keyRing: testKeyRing, planId });
  const { rows } = await db.pool.query<{ times: number }>(
    "select analyze_count::int as times from pg_stat_user_tables where relname = 'accounts'",
  );
  expect(rows[0]?.times).toBeGreaterThan(1);
});
