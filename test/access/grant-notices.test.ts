import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { tellEndingGrants, tellOfGrant } from "../../src/access/grant-notices.ts";
import { giveGrant } from "../../src/access/grants.ts";
import { createRole } from "../../src/access/roles.ts";
import { inTransaction } from "../../src/db/database.ts";
import { chooseNotices } from "../../src/directory/notice-preferences.ts";
import { createUnit } from "../../src/directory/units.ts";
import { HOUR, insertPerson, later, standingClock } from "../directory/fixtures.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { testKeyRing as keyRing } from "../helpers/sync.ts";

let db: TestDatabase;
beforeAll(async () => (db = await testDatabase()));
afterAll(() => db.drop());

test("G7: who is given a role hears of it if they want to, and before it ends, once, unless they don't", async () => {
  const clock = standingClock();
  const ctx = testContext({ now: clock.now });
  const told = async () =>
    (await db.pool.query<{ notice: string }>("select notice from notices order by created_at, notice")).rows.map(({ notice }) => notice);
  const ending = () => inTransaction(db, ctx, (work) => tellEndingGrants(work, { keyRing }));
  const [ada, bob] = [await insertPerson(db.pool), await insertPerson(db.pool)];
  await inTransaction(db, ctx, async (work) => {
    await createRole(work, { key: "editor", name: "Editor", permissions: [], inherits: [] });
    const unit = await createUnit(work, { name: "Sales", type: "department", code: null, parentId: null });
    await chooseNotices(work, { personId: ada, wanted: { "grant.given": true } });
    await chooseNotices(work, { personId: bob, wanted: { "grant.ends_soon": false } });
    for (const personId of [ada, bob]) {
      const grantId = await giveGrant(work, { personId, role: "editor", unit, until: later(10 * 24 * HOUR) });
      await tellOfGrant(work, { keyRing, grantId });
    }
  });
  expect(await told()).toEqual(["grant.given"]);
  expect(await ending()).toBe(0);
  clock.forward(4 * 24 * HOUR);
  expect(await ending()).toBe(2);
  clock.forward(24 * HOUR);
  expect(await ending()).toBe(0);
  expect(await told()).toEqual(["grant.given", "grant.ends_soon"]);
});
