import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { checkAccess } from "../../../src/access/effective.ts";
import { giveGrant } from "../../../src/access/grants.ts";
import { roleDifference } from "../../../src/access/role-versions.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization" });
});
afterAll(() => door?.close());

const ANY = { "If-Match": "*" };
const create = (body: object) => door.request("POST", "/roles", { body });
const change = (key: string, body: object) => door.request("PATCH", `/roles/${key}`, { body, headers: ANY });
const remove = (key: string, body: object = { reason: "tidy" }) => door.request("DELETE", `/roles/${key}`, { body, headers: ANY });

describe("roles by API", () => {
  test("A1: permissions are resource by action, by module; modules say what comes with them", async () => {
    const { body } = await door.request("GET", "/permissions").expect(200);
    const register = body.modules.find(({ module }: { module: string }) => module === "register");
    expect(register.installed).toBe(true);
    const contracts = register.resources.find(({ resource }: { resource: string }) => resource === "contracts");
    expect(contracts.permissions.map(({ key }: { key: string }) => key)).toEqual(["register.contracts.edit", "register.contracts.view"]);
    const { body: modules } = await door.request("GET", "/modules").expect(200);
    expect(modules.modules.map(({ key, installed }: { key: string; installed: boolean }) => [key, installed])).toEqual([
      ["dashboard", true],
      ["register", true],
      ["rollcall", true],
    ]);
    expect(modules.modules[0].roles).toHaveLength(5);
  });

  test("A2: predefined roles can't be changed or deleted, and say what to do", async () => {
    const { body } = await change("register-user", { permissions: [] }).expect(403);
    expect(body.detail).toContain("template");
    await remove("register-user").expect(403);
  });

  test("A2: a role from scratch, from a template, and on top of another; inheritance without circles", async () => {
    const { body: scratch } = await create({ key: "reader", name: "Reader", permissions: ["register.keys.view"] }).expect(201);
    expect(scratch).toMatchObject({ set: "custom", predefined: false, effective: ["register.keys.view"], version: 1 });
    const { body: template } = await door.request("GET", "/roles/dashboard-user-view");
    const { body: copied } = await create({ key: "viewer", name: "Viewer", template: "dashboard-user-view" }).expect(201);
    expect(copied.permissions).toEqual(template.effective);
    const { body: heir } = await create({
      key: "writer",
      name: "Writer",
      permissions: ["register.keys.edit"],
      inherits: ["reader"],
    }).expect(201);
    expect(heir.effective).toEqual(["register.keys.edit", "register.keys.view"]);
    await change("reader", { inherits: ["writer"] }).expect(422);
    await change("reader", { inherits: ["reader"] }).expect(422);
    await create({ key: "reader", name: "Again" }).expect(409);
    await create({ key: "bad", name: "Bad", permissions: ["no.such.thing"] }).expect(422);
  });

  test("A6: a change of a role acts at once, for those who inherit it too, and another's change is not lost", async () => {
    await create({ key: "base", name: "Base", permissions: ["register.keys.view"] }).expect(201);
    await create({ key: "above", name: "Above", inherits: ["base"] }).expect(201);
    const personId = await door.newPerson();
    await door.work((work) => giveGrant(work, { personId, role: "above", unit: top }));
    const may = (permission: string) => checkAccess(door.db.pool, { personId, unitId: top, permission, at: door.clock.now() });
    expect(await may("register.keys.edit")).toBe(false);
    const { headers } = await change("base", { permissions: ["register.keys.edit"] }).expect(200);
    expect([await may("register.keys.edit"), await may("register.keys.view")]).toEqual([true, false]);
    expect(headers["etag"]).toMatch(/^"2-/);
    await door.request("PATCH", "/roles/base", { body: { name: "Stale" }, headers: { "If-Match": '"1"' } }).expect(412);
  });

  test("A2: every version is kept, with what it changed, by whom; and the one that held at an instant is found", async () => {
    await create({ key: "kept", name: "Kept", permissions: ["register.keys.view"] }).expect(201);
    const first = door.clock.now();
    door.clock.forward(1000);
    await change("kept", { name: "Kept on", permissions: ["register.keys.view", "register.keys.edit"] }).expect(200);
    door.clock.forward(1000);
    await change("kept", { permissions: ["register.keys.edit"], inherits: ["reader"] }).expect(200);
    const { body } = await door.request("GET", "/roles/kept/versions").expect(200);
    expect(body.items).toMatchObject([
      {
        version: 3,
        actor: "token:test",
        difference: { permissions: { added: [], removed: ["register.keys.view"] }, inherits: { added: ["reader"] }, changed: [] },
      },
      { version: 2, difference: { permissions: { added: ["register.keys.edit"], removed: [] }, changed: ["name"] } },
      { version: 1, name: "Kept", permissions: ["register.keys.view"] },
    ]);
    const { body: then } = await door.request("GET", `/roles/kept/versions?at=${first.toISOString()}&limit=1`);
    expect(then.items).toMatchObject([{ version: 1 }]);
    const { body: shipped } = await door.request("GET", "/roles/register-admin/versions");
    expect(shipped.items).toMatchObject([{ version: 1, difference: { changed: [] } }]);
  });

  test("A2: it is not deleted while it is granted, inherited or given by a rule; told to, it goes everywhere", async () => {
    await create({ key: "old", name: "Old", permissions: ["register.keys.view"] }).expect(201);
    await create({ key: "heir", name: "Heir", permissions: ["register.keys.edit"], inherits: ["old"] }).expect(201);
    const personId = await door.newPerson();
    await door.work((work) => giveGrant(work, { personId, role: "old", unit: top }));
    expect((await remove("old").expect(409)).body.detail).toContain("granted 1 times");
    await remove("old", { revoke: true, reason: "merged" }).expect(204);
    await door.request("GET", "/roles/old").expect(404);
    const { body: heir } = await door.request("GET", "/roles/heir");
    expect(heir).toMatchObject({ inherits: [], effective: ["register.keys.edit"], version: 2 });
    const { body: grants } = await door.request("GET", `/grants?person=${personId}`);
    expect(grants.items).toMatchObject([{ state: "past", role: { key: "old" } }]);
    const { rows } = await door.db.pool.query("select reason, data from audit_events where name = 'role.deleted'");
    expect(rows).toEqual([{ reason: "merged", data: { name: "old", grants: 1 } }]);
  });

  test("A3: all roles by permission, as JSON and for a spreadsheet", async () => {
    const { body } = await door.request("GET", "/roles/comparison").expect(200);
    const row = body.rows.find(({ permission }: { permission: { key: string } }) => permission.key === "register.keys.view");
    expect(row.cells).toMatchObject({ reader: "own", writer: "inherited", "dashboard-admin": "none" });
    await create({ key: "formula", name: '=1+"2"', permissions: ["register.keys.view"] }).expect(201);
    await create({ key: "wide", name: "＝1+2", permissions: [] }).expect(201);
    const { text, type } = await door.request("GET", "/roles/comparison.csv").expect(200);
    expect(type).toBe("text/csv");
    expect(text.split("\r\n")[0]).toContain(`"'=1+""2"" (custom)"`);
    expect(text.split("\r\n")[0]).toContain(",'＝1+2 (custom)");
    expect(text).toMatch(/^register\.keys\.view,/m);
  });

  test("A2: who may not make roles sees them and changes none", async () => {
    const { token } = await door.newHolder({ role: "rollcall-auditor", unitId: top });
    await door.request("GET", "/roles?q=admin", { token }).expect(200);
    await door.request("POST", "/roles", { token, body: { key: "mine", name: "Mine" } }).expect(403);
  });

  test("A2: whatever two states of a role, the difference leads from one to the other", () => {
    const keys = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e"));
    fc.assert(
      fc.property(keys, keys, (before, after) => {
        const state = (permissions: string[]) => ({ name: "x", description: "", permissions, inherits: [], deleted: false });
        const { added, removed } = roleDifference(state(before), state(after)).permissions;
        expect([...before.filter((key) => !removed.includes(key)), ...added].sort()).toEqual([...after].sort());
      }),
    );
  });
});
