import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { giveGrant } from "../../src/access/grants.ts";
import { loadShippedRoles } from "../../src/access/shipped-roles.ts";
import { inTransaction } from "../../src/db/database.ts";
import { projectFolder } from "../../src/db/folder.ts";
import { createUnit } from "../../src/directory/units.ts";
import { letGoConnection } from "../../src/sync/remove-connection.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { world } from "../helpers/memory-source.ts";
import { person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";

const ctx = testContext();
let db: TestDatabase;
beforeEach(async () => {
  db = await testDatabase();
});
afterEach(() => db.drop());

test("B2: a connection that lists the last administrator is not removed, whatever is said of how many leave", async () => {
  await inTransaction(db, ctx, async (work) => {
    await loadShippedRoles(work, { folder: path.join(projectFolder(), "config/roles"), modules: [] });
    await createUnit(work, { name: "Company", type: "organization", code: "ORG" });
  });
  await testConnection(db, ctx);
  await testConnection(db, ctx, { name: "hr" });
  await syncWorld(db, ctx, { world: world([person("boss"), person("clerk")]) });
  const { rows } = await db.pool.query<{ id: string }>("select id from people where user_name = 'boss'");
  await inTransaction(db, ctx, (work) => giveGrant(work, { personId: rows[0]?.id ?? "", role: "rollcall-administrator", unit: "ORG" }));
  const remove = (leaving?: number) =>
    inTransaction(db, ctx, (work) =>
      letGoConnection(work, { keyRing: testKeyRing, name: "corp", ...(leaving === undefined ? {} : { leaving }) }),
    );
  for (const leaving of [undefined, 2])
    await expect(remove(leaving)).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("make another one first") });
  expect((await db.pool.query("select from people where state = 'active'")).rowCount).toBe(2);
  await syncWorld(db, ctx, { world: world([person("boss")]), connection: "hr" });
  expect(await remove()).toMatchObject({ handedOver: 1, leaving: 1 });
});
