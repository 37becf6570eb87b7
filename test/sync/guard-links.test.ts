import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { giveGrant } from "../../src/access/grants.ts";
import { loadShippedRoles } from "../../src/access/shipped-roles.ts";
import { loadConnection } from "../../src/connections/open.ts";
import { inTransaction } from "../../src/db/database.ts";
import { projectFolder } from "../../src/db/folder.ts";
import { createUnit } from "../../src/directory/units.ts";
import { linkAccount, listAccounts } from "../../src/sync/accounts.ts";
import { applyPlan } from "../../src/sync/apply-plan.ts";
import { approvePlan } from "../../src/sync/approve.ts";
import { syncOne } from "../../src/sync/one.ts";
import { showPlan } from "../../src/sync/plans.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { world } from "../helpers/memory-source.ts";
import { person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";

const ctx = testContext();
let db: TestDatabase;
beforeEach(async () => {
  db = await testDatabase();
  await testConnection(db, ctx);
  await syncWorld(db, ctx, { world: world(people(40)) });
});
afterEach(() => db.drop());

const people = (count: number, attributes: (index: number) => Record<string, string | boolean> = () => ({})) =>
  Array.from({ length: count }, (_, index) => person(`u${index}`, attributes(index)));
const active = async () => (await db.pool.query("select count(*)::int as n from people where state = 'active'")).rows[0].n;
const counted = async () => (await db.pool.query("select action, sum(count)::int as count from guard_counts group by action")).rows;
const hr = (limits = {}, mapping = {}) => testConnection(db, ctx, { name: "hr", precedence: 10, limits, mapping });
const readHr = (attributes: (index: number) => Record<string, string | boolean>) =>
  syncWorld(db, ctx, { world: world(people(40, attributes)), connection: "hr" });

test("B2: a new connection that has everybody as not active is held, though its plan only links", async () => {
  await hr();
  const held = await readHr(() => ({ active: false }));
  expect(held).toMatchObject({ state: "held", plan: { user: { link: 40 } } });
  expect(held.guards.map(({ guard }) => guard)).toEqual(["disable", "window"]);
  expect(await active()).toBe(40);
  const { items } = await showPlan(db.pool, { planId: held.planId, limit: 1 });
  expect(items).toMatchObject([{ action: "link", reason: "matched by userName; not active at the source" }]);
  await inTransaction(db, ctx, (work) => approvePlan(work, { planId: held.planId }));
  expect(await applyPlan(ctx, { db, keyRing: testKeyRing, planId: held.planId })).toMatchObject({ applied: 40 });
  expect(await active()).toBe(0);
  // What somebody has approved counts no more.
  expect(await counted()).toEqual([]);
});

test("B2: so is one that gives everybody a last day that is past", async () => {
  await hr({}, { user: { attributes: { userName: "account.uid", "employment.endDate": "account.until" } } });
  expect(await readHr(() => ({ until: "2020-01-31" }))).toMatchObject({ state: "held" });
  expect(await active()).toBe(40);
});

test("B2: the few whom a new connection has as not active are a share of those whom it lists, and nobody is counted who was out before", async () => {
  await hr({ disable: { floor: 0 }, window: { floor: 0 } });
  expect(await readHr((index) => ({ active: index >= 4 }))).toMatchObject({ state: "done", guards: [] });
  expect(await active()).toBe(36);
  expect(await counted()).toEqual([{ action: "disable", count: 4 }]);
  await testConnection(db, ctx, { name: "payroll", precedence: 5, limits: { disable: { count: 0 }, delete: { count: 0 } } });
  const again = await syncWorld(db, ctx, { world: world(people(4, () => ({ active: false }))), connection: "payroll" });
  expect(again).toMatchObject({ state: "done", guards: [] });
});

async function steeredByU1() {
  await inTransaction(db, ctx, async (work) => {
    await loadShippedRoles(work, { folder: path.join(projectFolder(), "config/roles"), modules: [] });
    await createUnit(work, { name: "Company", type: "organization", code: "ORG" });
    const { rows } = await work.sql.query<{ id: string }>("select id from people where user_name = 'u1'");
    await giveGrant(work, { personId: rows[0]?.id ?? "", role: "rollcall-administrator", unit: "ORG" });
  });
}

test("B2: the last administrator is not disabled by an account that is linked to them", async () => {
  await steeredByU1();
  await hr();
  expect(await readHr((index) => ({ active: index !== 1 }))).toMatchObject({
    state: "held",
    guards: [expect.objectContaining({ guard: "administrator" })],
  });
});

test("B2: nor by one that a human links to them", async () => {
  await steeredByU1();
  await hr({}, { situations: { unlinked: "dispute" } });
  await readHr((index) => ({ active: index !== 1 }));
  const disputed = await listAccounts(db.pool, { situation: "disputed" });
  const settle = async (uid: string) => {
    const { id, candidates } = disputed.find(({ nativeId }) => nativeId === `id-${uid}`) ?? { id: 0, candidates: [] };
    return inTransaction(db, ctx, (work) => linkAccount(work, { keyRing: testKeyRing, accountId: id, person: candidates[0]?.id ?? "" }));
  };
  await expect(settle("u1")).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("make another one first") });
  expect(await active()).toBe(40);
  await settle("u2");
});

test("B2: a client that makes accounts of people who are here, as not active, meets the guard", async () => {
  await testConnection(db, ctx, {
    name: "idp",
    precedence: 10,
    mapping: { user: { attributes: { userName: "account.userName", active: "account.active" } } },
    limits: { window: { floor: 3, share: 0.01 } },
  });
  const post = (userName: string) =>
    inTransaction(db, ctx, async (work) =>
      syncOne(work, {
        connection: await loadConnection(work.sql, testKeyRing, "idp"),
        keyRing: testKeyRing,
        record: { kind: "user", resource: { userName, active: false } },
      }),
    );
  for (const userName of ["u0", "u1", "u2"]) await post(userName);
  expect(await active()).toBe(37);
  await expect(post("u3")).rejects.toMatchObject({ code: "held", field: "window" });
  expect(await active()).toBe(37);
});
