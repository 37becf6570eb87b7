import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { put, remove, world } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { loadConnection } from "../../src/connections/open.ts";
import { inTransaction } from "../../src/db/database.ts";
import { syncOne } from "../../src/sync/one.ts";
import { person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeEach(async () => {
  db = await testDatabase();
});
afterEach(() => db.drop());

const DISABLED = 90;
const ACTIVE = 10;
/** Ninety who were disabled long ago, and ten who work. */
function oldDirectory() {
  const source = world(Array.from({ length: DISABLED + ACTIVE }, (_, index) => person(`u${index}`, { active: index >= DISABLED })));
  source.pageSize = 100;
  return source;
}
const active = async () => (await db.pool.query("select count(*)::int as n from people where state = 'active'")).rows[0].n;
const guardsOf = ({ guards }: { guards: readonly { guard: string }[] }) => guards.map(({ guard }) => guard);

test("B2: who is disabled at the source already makes no room for others to be disabled", async () => {
  await testConnection(db, ctx);
  const source = oldDirectory();
  await syncWorld(db, ctx, { world: source });
  for (let index = DISABLED; index < DISABLED + 6; index++) put(source, person(`u${index}`, { active: false }));
  const held = await syncWorld(db, ctx, { world: source });
  expect(held).toMatchObject({
    state: "held",
    guards: [{ guard: "disable", message: "6 disables of 10 active accounts; the limit is 5" }],
  });
  expect(await active()).toBe(ACTIVE);
});

test("B2: nor to be deleted, while those who were out already may go as before", async () => {
  await testConnection(db, ctx);
  const source = oldDirectory();
  await syncWorld(db, ctx, { world: source });
  for (let index = 0; index < 10; index++) remove(source, "user", `id-u${index}`);
  expect(await syncWorld(db, ctx, { world: source })).toMatchObject({ state: "done", plan: { user: { delete: 10 } } });
  for (let index = DISABLED; index < DISABLED + 6; index++) remove(source, "user", `id-u${index}`);
  expect(await syncWorld(db, ctx, { world: source })).toMatchObject({
    state: "held",
    guards: [{ guard: "delete", message: "6 deletes of 10 active accounts; the limit is 5" }],
  });
  expect(await active()).toBe(ACTIVE);
});

test("B2: small steps that take the active ones away add up; those who were out already don't hold leavers", async () => {
  await testConnection(db, ctx, { limits: { window: { floor: 3 } } });
  const source = oldDirectory();
  await syncWorld(db, ctx, { world: source });
  for (let index = 0; index < 8; index++) remove(source, "user", `id-u${index}`);
  expect(await syncWorld(db, ctx, { world: source })).toMatchObject({ state: "done" });
  for (let index = DISABLED; index < DISABLED + 3; index++) put(source, person(`u${index}`, { active: false }));
  expect(await syncWorld(db, ctx, { world: source })).toMatchObject({ state: "done" });
  put(source, person(`u${DISABLED + 3}`, { active: false }));
  const held = await syncWorld(db, ctx, { world: source });
  expect(held).toMatchObject({ state: "held" });
  expect(guardsOf(held)).toEqual(["window"]);
  expect(held.guards[0]?.message).toBe("1 disables and deletes of active accounts, and 3 in the last 24 hours; the limit for both is 3");
  expect(await active()).toBe(ACTIVE - 3);
});

test("B2: somebody whom a last day has taken out already makes no room either", async () => {
  await testConnection(db, ctx, {
    mapping: { user: { attributes: { userName: "account.uid", active: "account.active", "employment.endDate": "account.until" } } },
  });
  const left = (index: number): Record<string, string> => (index < DISABLED ? { until: "2020-01-31" } : {});
  const source = world(Array.from({ length: DISABLED + ACTIVE }, (_, index) => person(`u${index}`, left(index))));
  source.pageSize = 100;
  await syncWorld(db, ctx, { world: source });
  expect(await active()).toBe(ACTIVE);
  for (let index = DISABLED; index < DISABLED + 6; index++) put(source, person(`u${index}`, { active: false }));
  expect(guardsOf(await syncWorld(db, ctx, { world: source }))).toEqual(["disable"]);
});

test("B2: requests are held by what they take of the active accounts", async () => {
  await testConnection(db, ctx, {
    name: "idp",
    mapping: { user: { attributes: { userName: "account.userName", active: "account.active" } } },
    limits: { window: { floor: 3 } },
  });
  const request = (resource: { userName: string; active: boolean }, more: { id?: string; deleted?: true } = {}) =>
    inTransaction(db, ctx, async (work) =>
      syncOne(work, {
        connection: await loadConnection(work.sql, testKeyRing, "idp"),
        keyRing: testKeyRing,
        record: { kind: "user", resource, ...more },
      }),
    );
  const made: { id: string }[] = [];
  for (let index = 0; index < 30; index++) made.push(await request({ userName: `p${index}`, active: index >= 20 }));
  const say = (index: number, more: { deleted?: true } = {}) =>
    request({ userName: `p${index}`, active: false }, { id: made[index]?.id ?? "", ...more });
  for (const index of [0, 1, 2, 3, 4]) await say(index, { deleted: true });
  for (const index of [20, 21, 22]) await say(index);
  await expect(say(23)).rejects.toMatchObject({
    code: "held",
    field: "window",
    message: expect.stringContaining("1 disables and deletes of active accounts, and 3 in the last 24 hours; the limit for both is 3"),
  });
  expect(await active()).toBe(7);
});
