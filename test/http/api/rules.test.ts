import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createRole } from "../../../src/access/roles.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
let groupId: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization", code: "company" });
  groupId = randomUUID();
  await door.work(async (work) => {
    await work.sql.query("insert into permissions (key, module, resource, action) values ('test.door.open', 'test', 'door', 'open')");
    await createRole(work, { key: "porter", name: "Porter", permissions: ["test.door.open"] });
    await work.sql.query("insert into groups (id, display_name, created_at, modified_at) values ($1, 'Porters', $2, $2)", [
      groupId,
      door.clock.now(),
    ]);
  });
});
afterAll(() => door?.close());

async function newMember(): Promise<string> {
  const personId = await door.newPerson();
  await door.db.pool.query("insert into memberships (group_id, person_id, valid_from, recorded_from) values ($1, $2, $3, $3)", [
    groupId,
    personId,
    door.clock.now(),
  ]);
  return personId;
}

const access = async (personId: string) =>
  (await door.request("GET", `/people/${personId}/access?permission=test.door.open`).expect(200)).body.items.length;

describe("rules by API", () => {
  test("are made, read, changed and taken away, and carried out at once", async () => {
    const personId = await newMember();
    const { body: made } = await door
      .request("POST", "/rules", { body: { name: "porters", group: "Porters", role: "porter", unit: "company" } })
      .expect(201);
    expect(made).toMatchObject({
      name: "porters",
      group: "Porters",
      condition: null,
      role: "porter",
      unit: "company",
      enabled: true,
      version: 1,
      grants: 1,
    });
    expect(await access(personId)).toBe(1);
    const at = `/rules/${made.id}`;
    await door.request("PATCH", at, { body: { enabled: false } }).expect(412);
    const off = await door.request("PATCH", at, { body: { enabled: false }, headers: { "If-Match": '"1"' } }).expect(200);
    expect(off.body).toMatchObject({ enabled: false, group: "Porters", version: 2, grants: 0 });
    expect(await access(personId)).toBe(0);
    const condition = { enabled: true, group: null, condition: "person.active" };
    expect((await door.request("PATCH", at, { body: condition, headers: { "If-Match": '"2"' } }).expect(200)).body).toMatchObject({
      group: null,
      condition: "person.active",
    });
    expect(await access(personId)).toBe(1);
    const listed = await door.request("GET", "/rules?q=PORT&role=porter&unit=company").expect(200);
    expect(listed.body).toMatchObject({ items: [{ id: made.id, version: 3 }], next: null });
    expect((await door.request("GET", "/rules?group=Others").expect(200)).body.items).toEqual([]);
    await door.request("DELETE", at, { headers: { "If-Match": '"3"' } }).expect(204);
    await door.request("GET", at).expect(404);
    expect(await access(personId)).toBe(0);
  });

  test("M3: a condition is type-checked, and every problem named", async () => {
    const send = (more: object) =>
      door.request("POST", "/rules", { body: { name: "wrong", role: "porter", unit: "company", ...more } }).expect(422);
    expect((await send({ condition: "person.active + 1" })).body).toMatchObject({
      code: "invalid",
      detail: expect.stringContaining("bool"),
    });
    expect((await send({ condition: "person.shoeSize == 1" })).body).toMatchObject({
      code: "invalid",
      detail: expect.stringContaining("shoeSize"),
      field: "condition",
    });
    expect((await send({})).body.detail).toContain("either a group or a condition");
    expect((await send({ group: "Porters", startsAt: "2030-01-01T00:00:00Z", expiresAt: "2029-01-01T00:00:00Z" })).body.detail).toContain(
      "after startsAt",
    );
    await door.request("POST", "/rules", { body: { name: "wrong", group: "Porters", role: "nobody", unit: "company" } }).expect(404);
    await door.request("POST", "/rules", { body: { name: "once", group: "Porters", role: "porter", unit: "company" } }).expect(201);
    await door.request("POST", "/rules", { body: { name: "once", group: "Porters", role: "porter", unit: "company" } }).expect(409);
  });

  test("M3: one that does not compile any more is switched off as it is, with a preview or without", async () => {
    await door.newPerson();
    await door.work((work) => createRole(work, { key: "warden", name: "Warden", permissions: ["register.keys.view"] }));
    const rule = { name: "aged", condition: "person.active", role: "warden", unit: "company" };
    const { body: made } = await door.request("POST", "/rules", { body: rule }).expect(201);
    const condition = 'person.displayName.matches("((a{90}){90}){90}")';
    await door.db.pool.query("update rules set condition = $2 where id = $1", [made.id, condition]);
    const patch = (body: object) => door.request("PATCH", `/rules/${made.id}`, { body, headers: { "If-Match": "*" } });
    expect((await patch({ expiresAfterSeconds: 60 }).expect(422)).body).toMatchObject({ field: "condition" });
    const off = { ...rule, condition, enabled: false };
    const { body: preview } = await door.request("POST", "/rules/preview", { body: off }).expect(201);
    expect(preview).toMatchObject({ kind: "rule", gained: 0 });
    expect(preview.lost).toBeGreaterThan(0);
    await door.request("POST", "/previews", { body: { kind: "rule", rule: off } }).expect(201);
    const { body } = await patch({ enabled: false }).expect(200);
    expect(body).toMatchObject({ enabled: false, condition, grants: 0, problem: expect.stringContaining("repeats too much") });
    await patch({ enabled: true }).expect(422);
    await door.db.pool.query("update rules set enabled = true where id = $1", [made.id]);
    const { body: again } = await door.request("POST", "/rules/preview", { body: off }).expect(201);
    await door.request("POST", `/previews/${again.id}/apply`).expect(204);
    expect((await door.request("GET", `/rules/${made.id}`).expect(200)).body).toMatchObject({ enabled: false });
    await door.request("DELETE", `/rules/${made.id}`, { headers: { "If-Match": "*" } }).expect(204);
  });

  test("nobody gives by a rule what they could not give by hand", async () => {
    await door.work((work) =>
      createRole(work, { key: "rule-maker", name: "Rule maker", permissions: ["rollcall.rules.edit", "rollcall.rules.view"] }),
    );
    const { token } = await door.newHolder({ role: "rule-maker", unitId: top });
    const send = (rule: object) =>
      door.request("POST", "/rules", { token, body: { name: `rule ${randomUUID()}`, group: "Porters", ...rule } });
    await send({ role: "porter", unit: "company" }).expect(403);
    await send({ role: "porter", unit: "not-there-yet" }).expect(403);
    await send({ role: "rule-maker", unit: "company" }).expect(201);
    const { body: strong } = await door
      .request("POST", "/rules", { body: { name: "strong", group: "Others", role: "porter", unit: "company" } })
      .expect(201);
    await door.request("PATCH", `/rules/${strong.id}`, { token, body: { role: "rule-maker" }, headers: { "If-Match": "*" } }).expect(403);
    await door.request("DELETE", `/rules/${strong.id}`, { token, headers: { "If-Match": "*" } }).expect(403);
  });
});
