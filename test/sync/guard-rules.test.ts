import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createRule } from "../../src/access/rules.ts";
import { loadShippedRoles } from "../../src/access/shipped-roles.ts";
import { inTransaction } from "../../src/db/database.ts";
import { projectFolder } from "../../src/db/folder.ts";
import { createUnit } from "../../src/directory/units.ts";
import { applyPlan } from "../../src/sync/apply-plan.ts";
import { approvePlan } from "../../src/sync/approve.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { put, world, type World } from "../helpers/memory-source.ts";
import { person, syncWorld, testConnection, testKeyRing, unit } from "../helpers/sync.ts";

const ctx = testContext();
let db: TestDatabase;
let source: World;
beforeEach(async () => {
  db = await testDatabase();
  await inTransaction(db, ctx, async (work) => {
    await loadShippedRoles(work, { folder: path.join(projectFolder(), "config/roles"), modules: [] });
    await createUnit(work, { name: "Company", type: "organization", code: "ORG" });
  });
  await testConnection(db, ctx);
  source = world([unit("depot"), unit("office"), ...people()]);
  source.pageSize = 100;
});
afterEach(() => db.drop());

const people = (attributes: (index: number) => Record<string, string | readonly string[]> = sells) =>
  Array.from({ length: 40 }, (_, index) => person(`u${index}`, attributes(index)));
const sells = () => ({ department: "Sales", units: ["ou=depot"] });
const say = (attributes: (index: number) => Record<string, string | readonly string[]>) => {
  for (const each of people(attributes)) put(source, each);
};
const sync = () => syncWorld(db, ctx, { world: source });
const rule = (name: string, condition: string) =>
  inTransaction(db, ctx, (work) => createRule(work, { name, condition, role: "rollcall-auditor", unit: "ORG" }));
const given = async () =>
  (await db.pool.query("select count(*)::int as n from rule_matches where recorded_to is null and valid_to is null")).rows[0].n;

test("B2: a column that vanishes at the source takes nobody's roles before somebody has looked", async () => {
  await rule("sellers", 'person.department == "Sales"');
  await sync();
  expect(await given()).toBe(40);
  say(() => ({ units: ["ou=depot"] }));
  const held = await sync();
  expect(held).toMatchObject({
    state: "held",
    guards: [
      {
        guard: "rules",
        message: "40 matches of rules' conditions by people who stay end, and 0 ended in the last 24 hours, of 40; the limit is 20",
      },
    ],
  });
  expect(await given()).toBe(40);
  await inTransaction(db, ctx, (work) => approvePlan(work, { planId: held.planId }));
  await applyPlan(ctx, { db, keyRing: testKeyRing, planId: held.planId });
  expect(await given()).toBe(0);
});

test("B2: so it is with units that the source names no more; who moves to another that the rule names as well loses nothing", async () => {
  await rule("placed", '"depot" in person.units || "office" in person.units || "hall" in person.units');
  await sync();
  expect(await given()).toBe(40);
  say(() => ({ department: "Sales", units: ["ou=office"] }));
  expect(await sync()).toMatchObject({ state: "done", guards: [] });
  put(source, unit("hall"));
  say(() => ({ department: "Sales", units: ["ou=hall"] }));
  expect(await sync()).toMatchObject({ state: "done", guards: [] });
  expect(await given()).toBe(40);
  await inTransaction(db, ctx, (work) => createUnit(work, { name: "Depot two", type: "department", code: "OFFICE-2" }));
  await rule("by-code", '"hall" in person.units || "OFFICE-2" in person.units');
  expect(await given()).toBe(80);
  say(() => ({ department: "Sales", units: ["office-2", "ou=depot"] }));
  expect(await sync()).toMatchObject({ state: "done", guards: [] });
  expect(await given()).toBe(80);
  say(() => ({ department: "Sales", units: [] }));
  expect((await sync()).guards.map(({ guard }) => guard)).toEqual(["rules"]);
  expect(await given()).toBe(80);
});

test("B2: small steps add up; what rules don't ask for holds nobody", async () => {
  await rule("sellers", 'person.department == "Sales"');
  await sync();
  say(() => ({ ...sells(), title: "Seller" }));
  expect(await sync()).toMatchObject({ state: "done", plan: { user: { update: 40 } } });
  const until = (count: number) => say((index) => ({ ...sells(), ...(index < count ? { department: "Stock" } : {}) }));
  until(12);
  expect(await sync()).toMatchObject({ state: "done" });
  until(20);
  expect(await sync()).toMatchObject({ state: "done" });
  until(21);
  expect((await sync()).guards.map(({ message }) => message)).toEqual([
    "1 matches of rules' conditions by people who stay end, and 20 ended in the last 24 hours, of 40; the limit is 20",
  ]);
  expect(await given()).toBe(20);
});
