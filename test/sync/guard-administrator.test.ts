import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { giveGrant, revokeGrant } from "../../src/access/grants.ts";
import { createRule } from "../../src/access/rules.ts";
import { loadShippedRoles } from "../../src/access/shipped-roles.ts";
import { inTransaction } from "../../src/db/database.ts";
import { projectFolder } from "../../src/db/folder.ts";
import { createUnit } from "../../src/directory/units.ts";
import { applyPlan } from "../../src/sync/apply-plan.ts";
import { approvePlan } from "../../src/sync/approve.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { put, remove, world, type World } from "../helpers/memory-source.ts";
import { group, person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";

const ROLE = { role: "rollcall-administrator", unit: "ORG" };
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
  source = world([person("chief", { title: "Chief" }), person("boss"), person("clerk")]);
});
afterEach(() => db.drop());

const sync = () => syncWorld(db, ctx, { world: source });
const synced = async () => {
  const { state, guards, planId } = await sync();
  return { state, guards: guards.map(({ guard }) => guard), planId };
};
const appoint = async (userName: string, until?: Date) => {
  const { rows } = await db.pool.query<{ id: string }>("select id from people where user_name = $1", [userName]);
  await inTransaction(db, ctx, (work) => giveGrant(work, { personId: rows[0]?.id ?? "", ...ROLE, ...(until ? { until } : {}) }));
};

test("B2: a plan by which a condition would take the last administrator's rights is held; one that leaves another is not", async () => {
  await sync();
  await inTransaction(db, ctx, (work) => createRule(work, { name: "chiefs", condition: 'person.profile.title == "Chief"', ...ROLE }));
  put(source, person("chief", { title: "Chief", department: "Head office" }));
  expect(await synced()).toMatchObject({ state: "done" });
  put(source, person("chief", { title: "Clerk", department: "Head office" }));
  expect(await synced()).toMatchObject({ state: "held", guards: ["administrator"] });
  // For a time only: whose rights don't end by themselves would still be nobody.
  await appoint("boss", new Date(Date.now() + 86_400_000));
  const held = await synced();
  expect(held).toMatchObject({ state: "held", guards: ["administrator"] });
  await inTransaction(db, ctx, (work) => approvePlan(work, { planId: held.planId }));
  expect(await applyPlan(ctx, { db, keyRing: testKeyRing, planId: held.planId })).toMatchObject({ applied: 1 });
  await appoint("boss");
  put(source, person("chief", { title: "Chief" }));
  await sync();
  put(source, person("chief", { title: "Clerk" }));
  expect(await synced()).toMatchObject({ state: "done", guards: [] });
});

test("B2: a plan that takes the last administrator out of the directory, of the group or of the tree is held", async () => {
  put(source, group("admins", ["uid=chief"]));
  put(source, group("others", []));
  await sync();
  const { rows } = await db.pool.query<{ id: string }>("select id from groups where display_name = 'admins'");
  await inTransaction(db, ctx, (work) => giveGrant(work, { groupId: rows[0]?.id ?? "", ...ROLE }));
  put(source, group("admins", ["uid=clerk"]));
  expect(await synced()).toMatchObject({ state: "held", guards: ["administrator"] });
  put(source, group("admins", ["uid=chief", "uid=clerk"]));
  expect(await synced()).toMatchObject({ state: "done" });
  remove(source, "user", "id-chief");
  expect(await synced()).toMatchObject({ state: "done" });
  remove(source, "user", "id-clerk");
  expect(await synced()).toMatchObject({ state: "held", guards: ["administrator"] });
  put(source, person("clerk"));
  remove(source, "group", "id-admins");
  expect(await synced()).toMatchObject({ state: "held", guards: ["administrator"] });
  await appoint("boss");
  expect(await synced()).toMatchObject({ state: "done" });
});

test("B2: a plan that leaves nobody who steers by now is not approved by who was told otherwise; the next run says so under the same number", async () => {
  await sync();
  await appoint("chief");
  await appoint("boss");
  remove(source, "user", "id-chief");
  const { planId, state, guards } = await syncWorld(db, ctx, { world: source, planOnly: true });
  expect([state, guards]).toEqual(["held", []]);
  const { rows } = await db.pool.query<{ id: string }>(
    "select grant_id as id from grants join people p on p.id = person_id where user_name = 'boss' and recorded_to is null",
  );
  await inTransaction(db, ctx, (work) => revokeGrant(work, { grantId: rows[0]?.id ?? "", reason: "leaves" }));
  const approve = () => inTransaction(db, ctx, (work) => approvePlan(work, { planId }));
  await expect(approve()).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("without an administrator") });
  expect(await synced()).toEqual({ state: "held", guards: ["administrator"], planId });
  const { rows: shown } = await db.pool.query("select state, guards->0->>'guard' as guard from plans where id = $1", [planId]);
  expect(shown).toEqual([{ state: "held", guard: "administrator" }]);
  await approve();
  expect(await applyPlan(ctx, { db, keyRing: testKeyRing, planId })).toMatchObject({ applied: 1 });
});
