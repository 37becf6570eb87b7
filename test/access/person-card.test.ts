import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { giveGrant } from "../../src/access/grants.ts";
import { personCard } from "../../src/access/person-card.ts";
import { createRole } from "../../src/access/roles.ts";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { raiseBlocks } from "../../src/directory/blocks.ts";
import { setEmployment } from "../../src/directory/employment.ts";
import { createUnit } from "../../src/directory/units.ts";
import {
  HOUR,
  insertAccount,
  insertConnection,
  insertGroup,
  insertMembership,
  insertNesting,
  insertPerson,
  later,
  standingClock,
} from "../directory/fixtures.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

let db: TestDatabase;
const clock = standingClock();
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: clock.now, actor: "cli:test" }), flow);
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

test("a person's card says who, from where, in which groups and units, with which access, and where it was delivered", async () => {
  const ldap = await insertConnection(db.pool, { name: "ldap" });
  await insertConnection(db.pool, { name: "app", policy: { provision: { groups: [] } } });
  const id = await insertPerson(db.pool, { userName: "ada", email: "ada@lab.test" });
  await db.pool.query("update people set mastery = $2, origin_id = $3 where id = $1", [
    id,
    JSON.stringify({ userName: ldap, title: 999 }),
    ldap,
  ]);
  await insertAccount(db.pool, { connectionId: ldap, personId: id, nativeId: "uuid-1" });
  const [staff, all] = [await insertGroup(db.pool, { displayName: "Staff" }), await insertGroup(db.pool, { displayName: "All" })];
  await insertMembership(db.pool, { groupId: staff, personId: id });
  await insertNesting(db.pool, { parentId: all, childId: staff });
  await db.pool.query("insert into permissions (key, module, resource, action) values ('test.door.view', 'test', 'door', 'view')");
  await inWork(async (work) => {
    await createRole(work, { key: "visitor", name: "Visitor", permissions: ["test.door.view"] });
    const company = await createUnit(work, { name: "Company", code: "co" });
    const sales = await createUnit(work, { name: "Sales", code: "sales", parentId: company });
    await work.sql.query("insert into person_units (person_id, unit_id, valid_from, recorded_from) values ($1, $2, $3, $3)", [
      id,
      sales,
      clock.now(),
    ]);
    await giveGrant(work, { personId: id, role: "visitor", unit: "sales", until: later(5 * HOUR), reason: "audit" });
    await giveGrant(work, { groupId: all, role: "visitor", unit: "co", expiresAfterSeconds: 7200 });
  });
  const card = await personCard(db.pool, { key: "ADA", at: clock.now() });
  expect(card.person).toMatchObject({ id, state: "active", origin: "ldap", mastery: { userName: "ldap", title: "999" } });
  expect(card.accounts).toMatchObject([{ connection: "ldap", nativeId: "uuid-1", situation: "linked", goneAt: null }]);
  expect(card.groups).toEqual([
    { displayName: "All", direct: false },
    { displayName: "Staff", direct: true },
  ]);
  expect(card.units).toEqual([{ code: "sales", name: "Sales" }]);
  expect(card.grants).toMatchObject([{ role: "visitor", unit: "sales", source: "manual", reason: "audit", until: later(5 * HOUR) }]);
  expect([...card.access].sort((a, b) => a.unit.localeCompare(b.unit))).toEqual([
    { unit: "co", role: "visitor", group: "All", units: 2, permissions: ["test.door.view"], endsAt: later(2 * HOUR) },
    { unit: "sales", role: "visitor", group: null, units: 1, permissions: ["test.door.view"], endsAt: later(5 * HOUR) },
  ]);
  expect(card.deliveries).toMatchObject([{ target: "app", state: "idle" }]);
  clock.forward(HOUR);
  await inWork((work) => raiseBlocks(work, [{ personId: id, owner: "origin", connectionId: ldap, effect: "deactivated", reason: "left" }]));
  const left = await personCard(db.pool, { key: id, at: clock.now() });
  expect(left.blocks).toEqual([{ owner: "origin", connection: "ldap", effect: "deactivated", reason: "left", since: clock.now() }]);
  expect(left.access).toEqual([]);
  expect(left.events.map((event) => event.name)).toEqual(["person.deactivated"]);
});

test("the card of somebody with dates of employment says from and until when they give access", async () => {
  const id = await insertPerson(db.pool, { userName: "joiner" });
  const period = { from: later(24 * HOUR, clock.now()), to: later(48 * HOUR, clock.now()) };
  await inWork((work) => setEmployment(work, [{ personId: id, connectionId: null, period }]));
  const card = (at: Date) => personCard(db.pool, { key: id, at });
  expect((await card(clock.now())).employment).toEqual({ from: period.from, until: period.to });
  expect((await card(period.from)).employment).toEqual({ from: null, until: period.to });
  expect((await card(clock.now())).blocks).toMatchObject([{ owner: "employment", effect: "suspended" }]);
});
