import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createRole } from "../../../src/access/roles.ts";
import { createRule } from "../../../src/access/rules.ts";
import { createUnit } from "../../../src/directory/units.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization" });
});
afterAll(() => door?.close());

const any = { "If-Match": "*" };
const define = (body: object) => door.request("POST", "/attributes", { body });
const patch = (id: string, custom: object, token?: string) =>
  door.request("PATCH", `/people/${id}`, { headers: any, body: { custom }, ...(token === undefined ? {} : { token }) });

describe("P2: the organisation's own attributes by the administration API", () => {
  test("are defined, changed, read and removed; a choice that somebody has stays", async () => {
    const { body, headers } = await define({ key: "shirt", type: "choice", choices: ["S", "M", "L"], description: "Size" }).expect(201);
    expect(body).toMatchObject({ id: "shirt", required: false, visibleTo: "admin", editableBy: "admin", version: 1 });
    expect(headers["location"]).toBe("/api/v1/attributes/shirt");
    await define({ key: "SHIRT", type: "string" }).expect(409);
    await define({ key: "__proto__", type: "string" }).expect(422);
    await define({ key: "sizes", type: "choice" }).expect(422);
    const id = await door.newPerson({ unitId: top });
    await patch(id, { shirt: "m" }).expect(({ body: person }) => expect(person.custom).toEqual({ shirt: "M" }));
    const change = (given: object, tag = "*") => door.request("PATCH", "/attributes/shirt", { headers: { "If-Match": tag }, body: given });
    await change({ choices: ["S", "L"] }).expect(409);
    await change({ type: "string" }).expect(422);
    await change({ choices: ["M", "L", "XL"], visibleTo: "everyone" }).expect(200, {
      ...body,
      choices: ["M", "L", "XL"],
      visibleTo: "everyone",
      version: 2,
    });
    await change({ description: "Lost" }, '"1"').expect(412);
    const list = await door.request("GET", "/attributes").expect(200);
    expect(list.body.items.map(({ key }: { key: string }) => key)).toContain("shirt");
    await door.request("DELETE", "/attributes/shirt", { headers: any }).expect(204);
    expect((await door.request("GET", `/people/${id}`).expect(200)).body.custom).toEqual({});
    await door.request("GET", "/attributes/shirt").expect(404);
    const { rows } = await door.db.pool.query("select name from audit_events where subject_type = 'attribute' order by id");
    expect(rows.map(({ name }) => name)).toEqual(["attribute.created", "attribute.updated", "attribute.removed"]);
  });

  test("A6, M3: one that a condition of a rule asks for is not removed, and what the rule gives stays to be seen where it comes from", async () => {
    await define({ key: "level", type: "number" }).expect(201);
    await door.work(async (work) => {
      await createUnit(work, { name: "Vault", parentId: top, code: "VAULT" });
      await createRole(work, { key: "guard", name: "Guard", permissions: ["rollcall.units.view"] });
      await createRule(work, { name: "guards", condition: "person.custom.level == 3.0", role: "guard", unit: "VAULT" });
    });
    const id = await door.newPerson({ unitId: top });
    await patch(id, { level: 3 }).expect(200);
    const held = async () => (await door.request("GET", `/people/${id}/access`).expect(200)).body.items.length;
    expect(await held()).toBe(1);
    const refused = await door.request("DELETE", "/attributes/level", { headers: any }).expect(409);
    expect(refused.body.detail).toBe("Conditions of rules ask for level (guards): change or take away these first.");
    expect(await held()).toBe(1);
    const rule = (await door.request("GET", "/rules?q=guards").expect(200)).body.items[0].id;
    await door.request("DELETE", `/rules/${rule}`, { headers: any }).expect(204);
    expect(await held()).toBe(0);
    await door.request("DELETE", "/attributes/level", { headers: any }).expect(204);
  });

  test("values are validated by type, whoever sends them, each by name; required ones are needed", async () => {
    await define({ key: "floor", type: "number" }).expect(201);
    await define({ key: "remote", type: "boolean" }).expect(201);
    await define({ key: "since", type: "date" }).expect(201);
    await define({ key: "sites", type: "string", multiple: true }).expect(201);
    const id = await door.newPerson({ unitId: top });
    const bad = { floor: "3", remote: "yes", since: "2024-02-30", sites: "Oslo", nothing: 1 };
    const { body } = await patch(id, bad).expect(422);
    expect(body.errors.map(({ field }: { field: string }) => field).sort()).toEqual(
      Object.keys(bad)
        .map((key) => `custom.${key}`)
        .sort(),
    );
    const good = { floor: 3, remote: true, since: "2024-02-29", sites: ["Oslo", "Bergen"] };
    const kept = { ...good, since: "2024-02-29T00:00:00Z" };
    expect((await patch(id, good).expect(200)).body.custom).toEqual(kept);
    expect((await patch(id, { floor: null, sites: [] }).expect(200)).body.custom).toEqual({ remote: true, since: kept.since });
    await define({ key: "badge", type: "string", required: true }).expect(201);
    const person = { userName: "with-badge", unitIds: [top] };
    expect((await door.request("POST", "/people", { body: person }).expect(422)).body).toMatchObject({ field: "custom.badge" });
    const { body: made } = await door.request("POST", "/people", { body: { ...person, custom: { badge: "B-1" } } }).expect(201);
    await patch(made.id, { badge: null }).expect(422);
    await patch(made.id, { floor: 1 }).expect(200);
  });

  test("who sees and edits them: administrators, the person, everyone", async () => {
    await define({ key: "grade", type: "string", visibleTo: "admin", editableBy: "admin" }).expect(201);
    await define({ key: "allergy", type: "string", visibleTo: "self", editableBy: "self" }).expect(201);
    await define({ key: "desk", type: "string", visibleTo: "everyone", editableBy: "admin" }).expect(201);
    const manager = await door.newPerson({ unitId: top });
    const person = await door.newPerson({ unitId: top, managerId: manager });
    const { token: administrator } = await door.newHolder({ role: "rollcall-unit-administrator", unitId: top });
    const [own, theirs] = [await door.newToken({ personId: person }), await door.newToken({ personId: manager })];
    const values = { grade: "G7", allergy: "nuts", desk: "4-12" };
    await patch(person, values, administrator).expect(200);
    const shown = async (token: string) =>
      Object.keys((await door.request("GET", `/people/${person}`, { token }).expect(200)).body.custom).sort();
    expect(await shown(administrator)).toEqual(["allergy", "desk", "grade"]);
    expect(await shown(own)).toEqual(["allergy", "desk"]);
    expect(await shown(theirs)).toEqual(["desk"]);
    await patch(person, { allergy: "none" }, own).expect(200);
    await patch(person, { desk: "5-1" }, own).expect(403);
    // Not even whether a guess is right.
    for (const grade of ["G7", "G8"]) await patch(person, { grade }, own).expect(403);
    for (const allergy of ["none", "x"]) await patch(person, { allergy }, theirs).expect(403);
    await patch(person, { desk: "5-1" }, theirs).expect(403);
  });
});
