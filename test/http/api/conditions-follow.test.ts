import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { checkAccess } from "../../../src/access/effective.ts";
import { carryOutExpiry } from "../../../src/access/expiry.ts";
import { followRoles } from "../../../src/access/following-roles.ts";
import { createRole } from "../../../src/access/roles.ts";
import { createRule, deleteRule } from "../../../src/access/rules.ts";
import { followed } from "../followed.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

const ANY = { "If-Match": "*" };
const REASON = { reason: "tried" };
const PERMISSION = "rollcall.units.view";

let door: ApiDoor;
let top: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization", code: "TOP" });
  await door.newHolder({ role: "rollcall-administrator", unitId: top });
  await door.work((work) => createRole(work, { key: "visitor", name: "Visitor", permissions: [PERMISSION] }));
});
afterAll(() => door?.close());

const holds = (personId: string, permission = PERMISSION) =>
  checkAccess(door.db.pool, { personId, unitId: top, permission, at: door.clock.now() });
const rule = (name: string, condition: string, role: string) =>
  door.work((work) => createRule(work, { name, condition, role, unit: "TOP" }));
const group = async (displayName: string) => String((await door.request("POST", "/groups", { body: { displayName } }).expect(201)).body.id);
const change = (path: string, body: object, token = door.token) => door.request("PATCH", path, { token, headers: ANY, body });
const members = (id: string, body: object, token = door.token) => door.request("POST", `/groups/${id}/members`, { token, body });

describe("conditions of rules follow what units and groups are called", () => {
  test("A6, M3: a unit's code or name gives and takes at once what a condition asks it for", async () => {
    await rule("yard", '"YARD" in person.units', "visitor");
    const unitId = await door.newUnit({ name: "Back", parentId: top });
    const personId = await door.newPerson({ unitId });
    expect(await holds(personId)).toBe(false);
    await change(`/units/${unitId}`, { code: "YARD" }).expect(200);
    expect(await holds(personId)).toBe(true);
    await change(`/units/${unitId}`, { code: null }).expect(200);
    expect(await holds(personId)).toBe(false);
    await change(`/units/${unitId}`, { name: "YARD" }).expect(200);
    expect(await holds(personId)).toBe(true);
    await change(`/units/${unitId}`, { code: "BACK" }).expect(200);
    expect(await holds(personId)).toBe(false);
  });

  test("A6, M3: so do a group's name, and a group that comes into another or goes with it", async () => {
    await rule("staff", '"Staff" in person.groups', "visitor");
    const [inner, outer] = [await group("Inner"), await group("Staff")];
    const personId = await door.newPerson({ unitId: top });
    await members(inner, { add: { people: [personId] } }).expect(200);
    expect(await holds(personId)).toBe(false);
    await members(outer, { add: { groups: [inner] } }).expect(200);
    expect(await holds(personId)).toBe(true);
    await change(`/groups/${outer}`, { displayName: "Other" }).expect(200);
    expect(await holds(personId)).toBe(false);
    await change(`/groups/${outer}`, { displayName: "Staff" }).expect(200);
    expect(await holds(personId)).toBe(true);
    await members(outer, { remove: { groups: [inner] } }).expect(200);
    expect(await holds(personId)).toBe(false);
    await members(outer, { add: { groups: [inner] } }).expect(200);
    await door.request("DELETE", `/groups/${outer}`, { headers: ANY, body: REASON }).expect(204);
    expect(await holds(personId)).toBe(false);
  });
});

describe("conditions of rules follow which roles are held", () => {
  const give = (body: object) => door.request("POST", "/grants", { body: { unitId: top, reason: "tried", ...body } });
  const revoke = (id: string) => door.request("POST", `/grants/${id}/revoke`, { body: REASON });
  test("A6, M3: a grant gives and takes at once what a condition asks it for, by request and through groups as well", async () => {
    await door.work((work) => createRole(work, { key: "driver", name: "Driver", permissions: [] }));
    await rule("drivers", '"driver" in person.roles', "visitor");
    const personId = await door.newPerson({ unitId: top });
    const grant = (await give({ personId, role: "driver" }).expect(201)).body.id;
    expect(await holds(personId)).toBe(true);
    await revoke(grant).expect(204);
    expect(await holds(personId)).toBe(false);
    const drivers = await group("Drivers");
    await members(drivers, { add: { people: [personId] } }).expect(200);
    expect(await holds(personId)).toBe(false);
    const toAll = (await give({ groupId: drivers, role: "driver" }).expect(201)).body.id;
    expect(await holds(personId)).toBe(true);
    const outer = await group("All drivers");
    await revoke(toAll).expect(204);
    await give({ groupId: outer, role: "driver" }).expect(201);
    expect(await holds(personId)).toBe(false);
    await members(outer, { add: { groups: [drivers] } }).expect(200);
    expect(await holds(personId)).toBe(true);
    await members(outer, { remove: { groups: [drivers] } }).expect(200);
    expect(await holds(personId)).toBe(false);
  });

  test("A5, M3: so do beginnings and ends, of grants and of members' time, though nobody touches the person", async () => {
    const [personId, member] = [await door.newPerson({ unitId: top }), await door.newPerson({ unitId: top })];
    const at = (hours: number) => new Date(door.clock.now().getTime() + hours * 3_600_000).toISOString();
    await give({ personId, role: "driver", from: at(1), until: at(2) }).expect(201);
    const timed = await group("Trial drivers");
    await give({ groupId: timed, role: "driver", expiresAfterSeconds: 5_400 }).expect(201);
    await members(timed, { add: { people: [member] } }).expect(200);
    const seen = [];
    for (const hours of [0, 1, 1]) {
      door.clock.forward(hours * 3_600_000 + 1_000);
      await door.work(carryOutExpiry);
      await followed(door);
      seen.push([await holds(personId), await holds(member)]);
    }
    expect(seen).toEqual([
      [false, true],
      [true, true],
      [false, false],
    ]);
  });

  test("what rules give that ask for roles is no answer to such rules: none holds itself up, and none gives and takes in turns", async () => {
    await rule("kept", '"driver" in person.roles', "driver");
    await rule("contrary", '!("visitor" in person.roles)', "visitor");
    const personId = await door.newPerson({ unitId: top });
    const grant = (await give({ personId, role: "driver" }).expect(201)).body.id;
    const given = async () => {
      const { body } = await door.request("GET", `/grants?person=${personId}&state=current`).expect(200);
      return body.items.map((each: { role: { key: string }; source: string }) => `${each.role.key} ${each.source}`).sort();
    };
    const all = ["driver manual", "driver rule", "visitor rule", "visitor rule"];
    for (let round = 0; round < 3; round += 1) {
      await door.work((work) => followRoles(work, { personIds: [personId], groupIds: [] }));
      await followed(door);
      expect(await given()).toEqual(all);
    }
    await revoke(grant).expect(204);
    expect(await given()).toEqual(["visitor rule"]);
    const own = (await give({ personId, role: "visitor" }).expect(201)).body.id;
    expect(await given()).toEqual(["visitor manual"]);
    await revoke(own).expect(204);
    expect(await given()).toEqual(["visitor rule"]);
    for (const name of ["kept", "contrary"]) await door.work((work) => deleteRule(work, { name }));
  });

  test("A4: nobody is given a role by which a condition makes them an administrator of Rollcall, by whom could not", async () => {
    await door.work((work) => createRole(work, { key: "foreman", name: "Foreman", permissions: [] }));
    await rule("foremen", '"foreman" in person.roles', "rollcall-administrator");
    const yard = await door.newUnit({ name: "Yard", parentId: top });
    const { token } = await door.newHolder({ role: "rollcall-unit-administrator", unitId: yard });
    const personId = await door.newPerson({ unitId: yard });
    const body = { personId, unitId: yard, role: "foreman", reason: "tried" };
    await door.request("POST", "/grants", { token, body }).expect(403);
    expect(await holds(personId, "rollcall.roles.edit")).toBe(false);
    await door.request("POST", "/grants", { body }).expect(201);
    expect(await holds(personId, "rollcall.roles.edit")).toBe(true);
    await door.work((work) => deleteRule(work, { name: "foremen" }));
  });
});

describe("nobody gives by way of conditions what they could not give", () => {
  test("A4: a unit is not merged, named or coded so that a condition makes its people administrators of Rollcall", async () => {
    const own = await door.newUnit({ name: "Own", parentId: top });
    const [mine, chiefs] = [await door.newUnit({ name: "Mine", parentId: own }), await door.newUnit({ parentId: own, code: "CHIEFS" })];
    const { personId, token } = await door.newHolder({ role: "rollcall-unit-administrator", unitId: own });
    await rule("chiefs", '"CHIEFS" in person.units || "BOARD" in person.units', "rollcall-administrator");
    await door.request("PUT", `/people/${personId}/units`, { headers: ANY, body: { unitIds: [mine] } }).expect(200);
    const refused = await door
      .request("POST", `/units/${mine}/merge`, { token, headers: ANY, body: { into: chiefs, ...REASON } })
      .expect(403);
    expect(refused.body.detail).toContain("which you don't hold here");
    await door.request("DELETE", `/units/${mine}`, { token, headers: ANY, body: { moveTo: chiefs, ...REASON } }).expect(403);
    await change(`/units/${mine}`, { name: "BOARD" }, token).expect(403);
    await change(`/units/${mine}`, { code: "BOARD" }, token).expect(403);
    expect(await holds(personId, "rollcall.roles.edit")).toBe(false);
    await change(`/units/${mine}`, { name: "Ours" }, token).expect(200);
    await change(`/units/${mine}`, { code: "BOARD" }).expect(200);
    expect(await holds(personId, "rollcall.roles.edit")).toBe(true);
  });

  test("A4: nobody is put into a group, nor a group into another or renamed, to become an administrator of Rollcall by a condition", async () => {
    await door.work((work) =>
      createRole(work, {
        key: "group-keeper",
        name: "Group keeper",
        permissions: ["rollcall.groups.view", "rollcall.groups.edit", "rollcall.people.view"],
      }),
    );
    const { personId, token } = await door.newHolder({ role: "group-keeper", unitId: top });
    await rule("bosses", '"Bosses" in person.groups', "rollcall-administrator");
    const [inner, bosses] = [await group("Keepers"), await group("Bosses")];
    await members(inner, { add: { people: [personId] } }, token).expect(200);
    await members(bosses, { add: { people: [personId] } }, token).expect(403);
    await members(bosses, { add: { people: [await door.newPerson({ unitId: top })] } }, token).expect(403);
    await members(bosses, { add: { groups: [inner] } }, token).expect(403);
    await change(`/groups/${bosses}`, { displayName: "Former" }).expect(200);
    await change(`/groups/${inner}`, { displayName: "Bosses" }, token).expect(403);
    expect(await holds(personId, "rollcall.roles.edit")).toBe(false);
    await change(`/groups/${inner}`, { displayName: "Bosses" }).expect(200);
    expect(await holds(personId, "rollcall.roles.edit")).toBe(true);
  });
});
