import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createRole } from "../../../src/access/roles.ts";
import { createRule } from "../../../src/access/rules.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { createUnit } from "../../../src/directory/units.ts";
import { testContext } from "../../helpers/database.ts";
import { openDoor, type Door } from "./door.ts";

let door: Door;
const ctx = testContext();
beforeAll(async () => {
  door = await openDoor();
  await door.db.pool.query("insert into permissions (key, module, resource, action) values ('test.door.view', 'test', 'door', 'view')");
  await inTransaction(door.db, ctx, async (work) => {
    await createRole(work, { key: "visitor", name: "Visitor", permissions: ["test.door.view"] });
    await createUnit(work, { name: "House", code: "house" });
  });
});
afterAll(() => door.close());

const make = async (path: string, body: object): Promise<string> => (await door.request("post", path, { body })).body.id;
const members = (group: string, op: string, value: string) =>
  door.request("patch", `/Groups/${group}`, {
    body: { schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], Operations: [{ op, path: "members", value: [{ value }] }] },
  });

test("M3: access that ends some time after joining is carried out for whom a SCIM client adds", async () => {
  const person = await make("/Users", { userName: "timed" });
  const group = await make("/Groups", { displayName: "Guests" });
  const outer = await make("/Groups", { displayName: "Everybody", members: [{ value: group }] });
  expect(outer).toBeDefined();
  await inTransaction(door.db, ctx, (work) =>
    createRule(work, { name: "guests", group: "Everybody", role: "visitor", unit: "house", expiresAfterSeconds: 3600 }),
  );
  const due = async () =>
    (await door.db.pool.query("select count(*) as jobs from graphile_worker.jobs where task_identifier = 'expire'")).rows[0].jobs;
  expect(await due()).toBe(0);
  expect((await members(group, "add", person)).status).toBe(204);
  expect(await due()).toBe(1);
});

test("M3: a rule that asks for a group follows whom a SCIM client adds and takes out", async () => {
  await inTransaction(door.db, ctx, (work) =>
    createRule(work, { name: "staff", condition: "'Staff' in person.groups", role: "visitor", unit: "house" }),
  );
  const person = await make("/Users", { userName: "ruled" });
  const group = await make("/Groups", { displayName: "Staff" });
  const standing = async () =>
    (
      await door.db.pool.query("select count(*) as grants from grants where person_id = $1 and recorded_to is null and valid_to is null", [
        person,
      ])
    ).rows[0].grants;
  expect((await members(group, "add", person)).status).toBe(204);
  expect(await standing()).toBe(1);
  expect((await members(group, "remove", person)).status).toBe(204);
  expect(await standing()).toBe(0);
});

test("M3: so it does a group that comes into another, goes out of it, or is called otherwise, with all who are in it", async () => {
  await inTransaction(door.db, ctx, (work) =>
    createRule(work, { name: "crew", condition: "'Crew' in person.groups", role: "visitor", unit: "house" }),
  );
  const person = await make("/Users", { userName: "nested" });
  const inner = await make("/Groups", { displayName: "Deck", members: [{ value: person }] });
  const outer = await make("/Groups", { displayName: "Crew" });
  const standing = async () =>
    (await door.db.pool.query("select from grants where person_id = $1 and recorded_to is null and valid_to is null", [person])).rowCount;
  const called = (displayName: string) =>
    door.request("patch", `/Groups/${outer}`, {
      body: { schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], Operations: [{ op: "replace", value: { displayName } }] },
    });
  expect((await members(outer, "add", inner)).status).toBe(204);
  expect(await standing()).toBe(1);
  expect((await called("Passengers")).status).toBeLessThan(300);
  expect(await standing()).toBe(0);
  expect((await called("Crew")).status).toBeLessThan(300);
  expect(await standing()).toBe(1);
  expect((await members(outer, "remove", inner)).status).toBe(204);
  expect(await standing()).toBe(0);
});
