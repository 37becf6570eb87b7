import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { resumeConnection } from "../../src/connections/state.ts";
import { inTransaction } from "../../src/db/database.ts";
import { applyPlan } from "../../src/sync/apply-plan.ts";
import { approvePlan, rejectPlan } from "../../src/sync/approve.ts";
import { put, remove, world, type World } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeEach(async () => {
  db = await testDatabase();
});
afterEach(() => db.drop());

const many = (count: number) => world(Array.from({ length: count }, (_, index) => person(`u${index}`)));
const leave = (source: World, count: number) => {
  for (let index = 0; index < count; index++) remove(source, "user", `id-u${index}`);
};
const active = async () => (await db.pool.query("select count(*)::int as n from people where state = 'active'")).rows[0].n;

describe("guards", () => {
  test("B2: too many leavers hold the whole plan; nothing is applied until it is approved, and then exactly what was shown", async () => {
    await testConnection(db, ctx);
    const source = many(40);
    await syncWorld(db, ctx, { world: source });
    leave(source, 7);
    put(source, person("u20", { title: "New title" }));
    const held = await syncWorld(db, ctx, { world: source });
    expect(held).toMatchObject({ state: "held", plan: { user: { delete: 7, update: 1 } } });
    expect(held.guards.map(({ guard }) => guard)).toEqual(["delete"]);
    expect(await active()).toBe(40);
    await inTransaction(db, ctx, (work) => approvePlan(work, { planId: held.planId }));
    expect(await applyPlan(ctx, { db, keyRing: testKeyRing, planId: held.planId })).toEqual({ applied: 8, refused: 0, failed: 0 });
    expect(await active()).toBe(33);
    await expect(inTransaction(db, ctx, (work) => approvePlan(work, { planId: held.planId }))).rejects.toMatchObject({ code: "conflict" });
  });

  test("B1: the same plan keeps its number while it waits; another one takes its place; a rejected one is not applied", async () => {
    await testConnection(db, ctx);
    const source = many(40);
    await syncWorld(db, ctx, { world: source });
    leave(source, 7);
    const first = await syncWorld(db, ctx, { world: source });
    const again = await syncWorld(db, ctx, { world: source });
    expect(again.planId).toBe(first.planId);
    expect(again.hash).toBe(first.hash);
    leave(source, 8);
    const other = await syncWorld(db, ctx, { world: source });
    expect(other.planId).not.toBe(first.planId);
    await expect(inTransaction(db, ctx, (work) => approvePlan(work, { planId: first.planId }))).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining("newer run"),
    });
    await inTransaction(db, ctx, (work) => rejectPlan(work, { planId: other.planId }));
    expect(await active()).toBe(40);
  });

  test("B1: what a newer run has applied waits for nobody any more, though the plan that waited is the same", async () => {
    await testConnection(db, ctx);
    const source = many(3);
    const waiting = await syncWorld(db, ctx, { world: source, planOnly: true });
    const applied = await syncWorld(db, ctx, { world: source });
    expect([waiting.state, applied.state, applied.hash]).toEqual(["held", "done", waiting.hash]);
    const { rows } = await db.pool.query(
      "select p.state as plan, r.state as run from plans p join runs r on r.id = p.run_id order by p.id",
    );
    expect(rows).toEqual([
      { plan: "superseded", run: "superseded" },
      { plan: "applied", run: "done" },
    ]);
    await expect(inTransaction(db, ctx, (work) => approvePlan(work, { planId: waiting.planId }))).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining("newer run"),
    });
  });

  test("invariant 2: an input that moved is refused by name and waits for the next plan; the rest is applied", async () => {
    await testConnection(db, ctx);
    const source = many(10);
    await syncWorld(db, ctx, { world: source });
    put(source, person("u1", { title: "A" }));
    put(source, person("u2", { title: "B" }));
    const plan = await syncWorld(db, ctx, { world: source, planOnly: true });
    expect(plan).toMatchObject({ state: "held", guards: [] });
    await db.pool.query("update people set version = version + 1 where user_name = 'u1'");
    await inTransaction(db, ctx, (work) => approvePlan(work, { planId: plan.planId }));
    expect(await applyPlan(ctx, { db, keyRing: testKeyRing, planId: plan.planId })).toEqual({ applied: 1, refused: 1, failed: 0 });
    expect((await db.pool.query("select message from plan_outcomes")).rows).toEqual([
      { message: "The person changed since this was decided." },
    ]);
    expect(await syncWorld(db, ctx, { world: source })).toMatchObject({ plan: { user: { update: 1 } }, applied: { applied: 1 } });
  });

  test("B1: a plan whose rows were altered is not applied at all", async () => {
    await testConnection(db, ctx);
    const source = many(3);
    const plan = await syncWorld(db, ctx, { world: source, planOnly: true });
    await db.pool.query("update plan_items set payload = jsonb_set(payload, '{person,userName}', '\"mallory\"') where native_id = 'id-u1'");
    await inTransaction(db, ctx, (work) => approvePlan(work, { planId: plan.planId }));
    await expect(applyPlan(ctx, { db, keyRing: testKeyRing, planId: plan.planId })).rejects.toMatchObject({ code: "conflict" });
    expect(await active()).toBe(0);
  });

  test.each([
    ["cut short", { page: 2, kind: "cut" as const }, "did not say that its answer was complete"],
    ["empty", undefined, "nothing at all"],
  ])("invariant 1: a read that is %s deletes nobody", async (_what, trouble, note) => {
    await testConnection(db, ctx, { limits: { shrink: 1, delete: { floor: 100 } } });
    const source = many(12);
    await syncWorld(db, ctx, { world: source });
    if (trouble) source.trouble = trouble;
    else source.records.clear();
    const summary = await syncWorld(db, ctx, { world: source });
    expect(summary.notes.join()).toContain(note);
    expect(await active()).toBe(12);
  });

  test("invariant 1: a listing that leaves somebody out is found out by recount and by asking for the one", async () => {
    await testConnection(db, ctx);
    const source = many(12);
    await syncWorld(db, ctx, { world: source });
    source.hidden.add("user/id-u3");
    const recounted = await syncWorld(db, ctx, { world: source });
    expect(recounted.notes.join()).toContain("recount");
    expect(await active()).toBe(12);
  });

  test("B2: a shrunken read is held", async () => {
    await testConnection(db, ctx, { limits: { delete: { share: 1, floor: 1000 }, window: { share: 1, floor: 1000 } } });
    const source = many(2000);
    source.pageSize = 1000;
    await syncWorld(db, ctx, { world: source });
    for (let index = 0; index < 1900; index++) remove(source, "user", `id-u${index}`);
    expect(await syncWorld(db, ctx, { world: source })).toMatchObject({
      state: "held",
      guards: [
        expect.objectContaining({ guard: "delete" }),
        expect.objectContaining({ guard: "window" }),
        expect.objectContaining({ guard: "shrink" }),
      ],
    });
    expect(await active()).toBe(2000);
  });

  test("B2: small steps add up in the sliding window", async () => {
    await testConnection(db, ctx, { limits: { window: { floor: 6, share: 0.01 } } });
    const source = many(40);
    await syncWorld(db, ctx, { world: source });
    leave(source, 4);
    expect(await syncWorld(db, ctx, { world: source })).toMatchObject({ state: "done" });
    leave(source, 8);
    expect(await syncWorld(db, ctx, { world: source })).toMatchObject({
      state: "held",
      guards: [expect.objectContaining({ guard: "window" })],
    });
  });

  test("B2: leavers whom somebody has approved don't hold those after them; what nobody has looked at goes on adding up", async () => {
    await testConnection(db, ctx);
    const source = many(60);
    source.pageSize = 100;
    await syncWorld(db, ctx, { world: source });
    leave(source, 2);
    expect(await syncWorld(db, ctx, { world: source })).toMatchObject({ state: "done" });
    leave(source, 32);
    const held = await syncWorld(db, ctx, { world: source });
    await inTransaction(db, ctx, (work) => approvePlan(work, { planId: held.planId }));
    await applyPlan(ctx, { db, keyRing: testKeyRing, planId: held.planId });
    for (const count of [36, 40, 44, 48])
      expect([count, (leave(source, count), await syncWorld(db, ctx, { world: source })).state]).toEqual([count, "done"]);
    leave(source, 53);
    expect((await syncWorld(db, ctx, { world: source })).guards).toEqual([
      {
        guard: "window",
        message: "5 disables and deletes of active accounts, and 18 in the last 24 hours; the limit for both is 20",
      },
    ]);
  });

  test("a connection is quarantined after repeated failures, and says so", async () => {
    await testConnection(db, ctx, { limits: { failures: 2 } });
    const source = many(5);
    source.trouble = { page: 1, kind: "fail" };
    for (const _ of [1, 2]) await expect(syncWorld(db, ctx, { world: source })).rejects.toThrow("hung up");
    expect((await db.pool.query("select state, state_reason from connections where name = 'corp'")).rows).toEqual([
      { state: "quarantined", state_reason: expect.stringContaining("The source hung up") },
    ]);
    expect(await active()).toBe(0);
    source.trouble = undefined;
    const byHand = await syncWorld(db, ctx, { world: source });
    expect(byHand.notes).toEqual([expect.stringContaining("corp is still quarantined: its schedule")]);
    await inTransaction(db, ctx, (work) => resumeConnection(work, { name: "corp" }));
    expect((await syncWorld(db, ctx, { world: source })).notes).toEqual([]);
  });
});
