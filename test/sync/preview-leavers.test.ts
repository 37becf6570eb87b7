import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { itemsOf } from "../../src/access/preview-items.ts";
import { createRole } from "../../src/access/roles.ts";
import { createRule } from "../../src/access/rules.ts";
import { addConnection } from "../../src/connections/store.ts";
import { inTransaction } from "../../src/db/database.ts";
import { createUnit } from "../../src/directory/units.ts";
import { approvePlan } from "../../src/sync/approve.ts";
import { previewMapping } from "../../src/sync/preview-mapping.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { world } from "../helpers/memory-source.ts";
import { person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

const wide = { count: 10_000, share: 1, floor: 10_000 };
const limits = { disable: wide, delete: wide, window: wide, members: wide, shrink: 1 };

test("B3: who falls out of the scope leaves by the preview as by the run, though they sign in elsewhere, or another that is silent lists them", async () => {
  await inTransaction(db, ctx, async (work) => {
    await work.sql.query("insert into permissions (key, module, resource, action) values ('test.door.open', 'test', 'door', 'open')");
    await createUnit(work, { name: "Top", code: "top" });
    await createRole(work, { key: "door", name: "Door", permissions: ["test.door.open"] });
    await createRule(work, { name: "all", condition: 'person.userName != ""', role: "door", unit: "top" });
  });
  const people = ["here", "signs-in", "was-listed", "listed"].map((uid) => person(uid, { number: uid }));
  const only = (uid: string) => world(people.filter(({ attributes }) => attributes["uid"] === uid));
  await testConnection(db, ctx, { name: "corp", limits, mapping: { match: ["employeeNumber"] } });
  await syncWorld(db, ctx, { connection: "corp", world: world(people) });
  for (const [name, uid] of [
    ["sso", "signs-in"],
    ["old", "was-listed"],
    ["hr", "listed"],
  ] as const) {
    await testConnection(db, ctx, { name, limits, mapping: { match: ["employeeNumber"] } });
    await syncWorld(db, ctx, { connection: name, world: only(uid) });
  }
  await db.pool.query("update connections set connector = 'oidc' where name = 'sso'");
  await db.pool.query("update connections set silent_since = $1 where name = 'old'", [ctx.now()]);
  const mapping = {
    user: { scope: "account.uid == 'here'", attributes: { userName: "account.uid", employeeNumber: "account.number" } },
    match: ["employeeNumber"],
  };
  const { parts, units } = await inTransaction(db, ctx, (work) => previewMapping(work, { connection: "corp", mapping, at: ctx.now() }));
  const said = parts.flatMap((part) => itemsOf(part, { units, from: 0, most: 1000 }));
  await inTransaction(db, ctx, (work) =>
    addConnection(work, { keyRing: testKeyRing, replace: true, definition: { name: "corp", connector: "scim-inbound", limits, mapping } }),
  );
  const run = () => syncWorld(db, ctx, { connection: "corp", world: world(people) });
  // A scope that lets somebody fall out is shown to somebody first.
  const { planId } = await run();
  await inTransaction(db, ctx, (work) => approvePlan(work, { planId }));
  await run();
  const { rows } = await db.pool.query<{ id: string; name: string }>(
    "select id, user_name::text as name from people where not active order by 2",
  );
  expect(rows.map(({ name }) => name)).toEqual(["signs-in", "was-listed"]);
  expect(said.map(({ personId }) => personId).sort()).toEqual(rows.map(({ id }) => id).sort());
});
