import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Kind } from "../../connectors/contract.ts";
import { inTransaction } from "../../src/db/database.ts";
import { applyPlan } from "../../src/sync/apply-plan.ts";
import { approvePlan } from "../../src/sync/approve.ts";
import { runSync } from "../../src/sync/run.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { put, remove, world, worldSource, type World } from "../helpers/memory-source.ts";
import { person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";

const ctx = testContext();
let db: TestDatabase;
let source: World;
beforeEach(async () => {
  db = await testDatabase();
  await testConnection(db, ctx);
  source = world(Array.from({ length: 40 }, (_, index) => person(`u${index}`)));
  await syncWorld(db, ctx, { world: source });
});
afterEach(() => db.drop());

const active = async () => (await db.pool.query("select count(*)::int as n from people where state = 'active'")).rows[0].n;
const leave = (count: number) => {
  for (let index = 0; index < count; index++) remove(source, "user", `id-u${index}`);
};
const comeBack = (from: number, to: number) => {
  for (let index = from; index < to; index++) put(source, person(`u${index}`));
};
const apply = (planId: number) => applyPlan(ctx, { db, keyRing: testKeyRing, planId });

/** A run in the middle of which somebody approves a plan. */
function syncWhileApproving(planId: number, { requested, meanwhile }: { requested?: number; meanwhile?: () => Promise<unknown> } = {}) {
  const inner = worldSource(source);
  return runSync(ctx, {
    db,
    keyRing: testKeyRing,
    connection: "corp",
    mode: "full",
    trigger: "cli",
    requested,
    source: {
      ...inner,
      async *readAll(kind: Kind) {
        if (kind === "group") {
          await inTransaction(db, ctx, (work) => approvePlan(work, { planId }));
          await meanwhile?.();
        }
        return yield* inner.readAll(kind);
      },
    },
  });
}

test("invariant 2: a plan approved while a run goes on takes nobody away whom that run has read", async () => {
  leave(7);
  const held = await syncWorld(db, ctx, { world: source });
  expect(held).toMatchObject({ state: "held" });
  comeBack(0, 5);
  expect(await syncWhileApproving(held.planId)).toMatchObject({ state: "done", plan: { user: { delete: 2 } } });
  expect(await apply(held.planId)).toEqual({ applied: 0, refused: 7, failed: 0 });
  expect(await active()).toBe(38);
  expect(await syncWorld(db, ctx, { world: source })).toMatchObject({ state: "done", plan: {} });
});

test("invariant 2: nor disables whom it has read as active again", async () => {
  for (let index = 0; index < 7; index++) put(source, person(`u${index}`, { active: false }));
  const held = await syncWorld(db, ctx, { world: source });
  expect(held).toMatchObject({ state: "held", plan: { user: { disable: 7 } } });
  comeBack(0, 7);
  expect(await syncWhileApproving(held.planId)).toMatchObject({ state: "done", plan: {} });
  expect(await apply(held.planId)).toEqual({ applied: 0, refused: 7, failed: 0 });
  expect(await active()).toBe(40);
});

const ask = async () => {
  const { rows } = await db.pool.query<{ id: number }>(
    "insert into runs (connection_id, mode, trigger, state, started_at) select id, 'full', 'api', 'queued', now() from connections returning id",
  );
  return rows[0]?.id ?? 0;
};

test("invariant 2: nor when another run is asked for meanwhile, which has read nothing yet", async () => {
  for (let index = 0; index < 7; index++) put(source, person(`u${index}`, { active: false }));
  const held = await syncWorld(db, ctx, { world: source });
  comeBack(0, 7);
  await syncWhileApproving(held.planId, { meanwhile: ask });
  expect(await apply(held.planId)).toEqual({ applied: 0, refused: 7, failed: 0 });
  expect(await active()).toBe(40);
});

test("invariant 2: nor when the run was asked for before the one that made the plan, and began later", async () => {
  for (let index = 0; index < 7; index++) put(source, person(`u${index}`, { active: false }));
  const requested = await ask();
  const held = await syncWorld(db, ctx, { world: source });
  comeBack(0, 7);
  await syncWhileApproving(held.planId, { requested });
  expect(await apply(held.planId)).toEqual({ applied: 0, refused: 7, failed: 0 });
  expect(await active()).toBe(40);
});

test("B1: what the run decides as well is applied as approved, and the rest of what was approved", async () => {
  leave(7);
  put(source, person("u20", { title: "New title" }));
  const held = await syncWorld(db, ctx, { world: source });
  put(source, person("u20", { title: "Newer title" }));
  const newer = await syncWhileApproving(held.planId);
  expect(newer).toMatchObject({ state: "held", plan: { user: { delete: 7, update: 1 } } });
  expect(await apply(held.planId)).toEqual({ applied: 7, refused: 1, failed: 0 });
  expect(await active()).toBe(33);
  await syncWorld(db, ctx, { world: source });
  expect((await db.pool.query("select attributes->>'title' as title from people where user_name = 'u20'")).rows).toEqual([
    { title: "Newer title" },
  ]);
});
