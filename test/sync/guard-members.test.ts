import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { inTransaction } from "../../src/db/database.ts";
import { applyPlan } from "../../src/sync/apply-plan.ts";
import { approvePlan } from "../../src/sync/approve.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { put, remove, world, type World } from "../helpers/memory-source.ts";
import { group, person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";

let db: TestDatabase;
let now = new Date("2026-09-01T08:00:00Z");
const ctx = testContext({ now: () => now });
beforeEach(async () => {
  now = new Date("2026-09-01T08:00:00Z");
  db = await testDatabase();
});
afterEach(() => db.drop());

const PEOPLE = 30;
const names = (from = 0, to = PEOPLE) => Array.from({ length: to - from }, (_, index) => `u${from + index}`);
const references = (uids: readonly string[]) => uids.map((uid) => `uid=${uid}`);
const staff = (uids: readonly string[]) => group("staff", references(uids));
const many = () => {
  const source = world([...names().map((uid) => person(uid)), staff(names())]);
  source.pageSize = 100;
  return source;
};
const sync = (source: World) => syncWorld(db, ctx, { world: source });
const inGroups = async () =>
  (await db.pool.query("select count(*)::int as n from memberships where recorded_to is null and valid_to is null")).rows[0].n;
const approve = async (planId: number) => {
  await inTransaction(db, ctx, (work) => approvePlan(work, { planId }));
  return applyPlan(ctx, { db, keyRing: testKeyRing, planId });
};

describe("members who leave groups by the dozen", () => {
  test("B2: a source that suddenly lists its groups as empty is held, and carried out once somebody approves", async () => {
    await testConnection(db, ctx);
    const source = many();
    await sync(source);
    put(source, staff([]));
    const held = await sync(source);
    expect(held).toMatchObject({
      state: "held",
      guards: [
        { guard: "members", message: "30 memberships of people who stay end, and 0 ended in the last 24 hours, of 30; the limit is 20" },
      ],
    });
    expect(await inGroups()).toBe(PEOPLE);
    expect(await approve(held.planId)).toEqual({ applied: 1, refused: 0, failed: 0 });
    expect(await inGroups()).toBe(0);
  });

  test("B2: so is a group that goes, and one that leaves another with all who are in it", async () => {
    await testConnection(db, ctx);
    const source = many();
    put(source, group("everybody", ["cn=staff"]));
    await sync(source);
    put(source, group("everybody", []));
    expect(await sync(source)).toMatchObject({
      state: "held",
      guards: [{ guard: "members", message: expect.stringContaining("30 memberships") }],
    });
    put(source, group("everybody", ["cn=staff"]));
    remove(source, "group", "id-staff");
    expect(await sync(source)).toMatchObject({
      state: "held",
      guards: [{ guard: "members", message: expect.stringContaining("60 memberships") }],
    });
  });

  test("who leaves altogether is counted by the guards of people, who is out already by none, and who changes the way into a group not at all", async () => {
    await testConnection(db, ctx, {
      limits: { members: { floor: 0, share: 0.001 }, disable: { floor: 100 }, delete: { floor: 100, share: 1 } },
    });
    const source = many();
    put(source, group("everybody", ["cn=staff"]));
    await sync(source);
    for (const uid of names(0, 3)) remove(source, "user", `id-${uid}`);
    put(source, person("u3", { active: false }));
    put(source, staff(names(4)));
    expect(await sync(source)).toMatchObject({ state: "done" });
    put(source, person("u4", { active: false }));
    expect(await sync(source)).toMatchObject({ state: "done" });
    put(source, staff(names(5)));
    expect(await sync(source)).toMatchObject({ state: "done" });
    put(source, group("everybody", references(names(5))));
    expect(await sync(source)).toMatchObject({ state: "done" });
    put(source, staff(names(6)));
    expect(await sync(source)).toMatchObject({ state: "held", guards: [{ guard: "members" }] });
  });

  test("B2: small steps add up within the window; what somebody approved does not", async () => {
    await testConnection(db, ctx);
    const source = many();
    await sync(source);
    put(source, staff(names(12)));
    expect(await sync(source)).toMatchObject({ state: "done" });
    put(source, staff(names(22)));
    const held = await sync(source);
    expect(held).toMatchObject({
      state: "held",
      guards: [{ message: expect.stringContaining("10 memberships of people who stay end, and 12 ended") }],
    });
    await approve(held.planId);
    put(source, staff(names(24)));
    expect(await sync(source)).toMatchObject({ state: "done" });
    now = new Date(now.getTime() + 25 * 3_600_000);
    put(source, staff([]));
    expect(await sync(source)).toMatchObject({ state: "done" });
  });
});
