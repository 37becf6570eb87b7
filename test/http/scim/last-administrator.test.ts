import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { giveGrant } from "../../../src/access/grants.ts";
import { createRule } from "../../../src/access/rules.ts";
import { loadShippedRoles } from "../../../src/access/shipped-roles.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { projectFolder } from "../../../src/db/folder.ts";
import { createUnit } from "../../../src/directory/units.ts";
import { testContext } from "../../helpers/database.ts";
import { openDoor, type Door } from "./door.ts";

const ROLE = { role: "rollcall-administrator", unit: "ORG" };
const PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const ctx = testContext();
let door: Door;
let made = 0;
beforeAll(async () => {
  door = await openDoor();
  await inTransaction(door.db, ctx, async (work) => {
    await loadShippedRoles(work, { folder: path.join(projectFolder(), "config/roles"), modules: [] });
    await createUnit(work, { name: "Company", type: "organization", code: "ORG" });
  });
});
afterAll(() => door?.close());
// Whoever was an administrator for one test is not for the next.
beforeEach(() => door.db.pool.query("delete from grants"));

const user = async (more: Record<string, unknown> = {}) => {
  const { body } = await door.request("POST", "/Users", { body: { userName: `person-${(made += 1)}`, ...more } }).expect(201);
  return body.id as string;
};
const group = async (...ids: string[]) => {
  const body = { displayName: `group-${(made += 1)}`, members: ids.map((value) => ({ value })) };
  return (await door.request("POST", "/Groups", { body }).expect(201)).body.id as string;
};
const appoint = (whom: { personId: string } | { groupId: string }) =>
  inTransaction(door.db, ctx, (work) => giveGrant(work, { ...whom, ...ROLE }));
const patch = (address: string, ...Operations: unknown[]) => door.request("PATCH", address, { body: { schemas: [PATCH], Operations } });
const off = { op: "replace", path: "active", value: false };

test("A6, M1: a client can't disable, replace, delete or drop in bulk the last administrator, is told what to do, and can when there is another", async () => {
  const chief = await user();
  await appoint({ personId: chief });
  const { rows: name } = await door.db.pool.query<{ user_name: string }>("select user_name from people where id = $1", [chief]);
  const userName = name[0]?.user_name;
  const held = await patch(`/Users/${chief}`, off);
  expect(held.status).toBe(503);
  expect(held.headers["retry-after"]).toBe("300");
  expect(held.body.detail).toContain("without an administrator: make another one first");
  await door.request("PUT", `/Users/${chief}`, { body: { userName, active: false } }).expect(503);
  await door.request("DELETE", `/Users/${chief}`).expect(503);
  const schemas = ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"];
  const operations = [{ method: "PATCH", path: `/Users/${chief}`, data: { schemas: [PATCH], Operations: [off] } }];
  const bulk = await door.request("POST", "/Bulk", { body: { schemas, Operations: operations } });
  expect(bulk.body.Operations).toMatchObject([{ status: "503" }]);
  const { rows } = await door.db.pool.query("select state from people where id = $1", [chief]);
  expect(rows).toEqual([{ state: "active" }]);
  const { rows: noted } = await door.db.pool.query("select data from audit_events where name = 'request.held'");
  expect(noted).toEqual(Array.from({ length: 4 }, () => ({ data: { guard: "administrator" } })));
  // What takes nothing away goes through.
  await patch(`/Users/${chief}`, { op: "replace", path: "title", value: "Chief" }).expect(200);
  await appoint({ personId: await user() });
  await patch(`/Users/${chief}`, off).expect(200);
});

test("A6, M1: a client can't take the last administrator out of the group that makes one, nor the group away, nor one that is nested in it", async () => {
  const [chief, clerk] = [await user(), await user()];
  const inner = await group(chief);
  const outer = await group(inner);
  await appoint({ groupId: outer });
  const member = (id: string) => ({ op: "remove", path: `members[value eq "${id}"]` });
  await patch(`/Groups/${inner}`, member(chief)).expect(503);
  await patch(`/Groups/${inner}`, { op: "replace", path: "members", value: [{ value: clerk }] }).expect((answer) => {
    // In its place somebody else steers.
    expect(answer.status).toBeLessThan(300);
  });
  await patch(`/Groups/${outer}`, member(inner)).expect(503);
  await door.request("PUT", `/Groups/${inner}`, { body: { displayName: "empty", members: [] } }).expect(503);
  await door.request("DELETE", `/Groups/${inner}`).expect(503);
  await door.request("DELETE", `/Groups/${outer}`).expect(503);
  await appoint({ personId: chief });
  await patch(`/Groups/${inner}`, member(clerk)).expect((answer) => expect(answer.status).toBeLessThan(300));
});

test("A6, M1: what a condition asks of the last administrator can't be taken away by a client", async () => {
  await inTransaction(door.db, ctx, (work) => createRule(work, { name: "chiefs", condition: 'person.profile.title == "Chief"', ...ROLE }));
  const chief = await user({ title: "Chief" });
  await patch(`/Users/${chief}`, { op: "replace", path: "title", value: "Clerk" }).expect(503);
  await patch(`/Users/${chief}`, { op: "replace", path: "nickName", value: "Chiefy" }).expect(200);
  await user({ title: "Chief" });
  await patch(`/Users/${chief}`, { op: "replace", path: "title", value: "Clerk" }).expect(200);
});

test("A6, M1: of two requests at once that would each take one of the last two administrators, one is held", async () => {
  for (let round = 0; round < 3; round += 1) {
    await door.db.pool.query("delete from grants");
    const pair = [await user(), await user()];
    for (const personId of pair) await appoint({ personId });
    const answers = await Promise.all([patch(`/Users/${pair[0]}`, off), door.request("DELETE", `/Users/${pair[1]}`)]);
    expect(answers.filter(({ status }) => status === 503)).toHaveLength(1);
  }
});
