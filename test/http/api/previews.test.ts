import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { giveGrant } from "../../../src/access/grants.ts";
import { createRole } from "../../../src/access/roles.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
let sales: string;
let groupId: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization", code: "company" });
  sales = await door.newUnit({ name: "Sales", parentId: top, code: "sales" });
  groupId = randomUUID();
  await door.work(async (work) => {
    await work.sql.query(
      "insert into permissions (key, module, resource, action) values ('test.door.open', 'test', 'door', 'open'), ('test.door.close', 'test', 'door', 'close')",
    );
    await createRole(work, { key: "porter", name: "Porter", permissions: ["test.door.open"] });
    await work.sql.query("insert into groups (id, display_name, created_at, modified_at) values ($1, 'Porters', $2, $2)", [
      groupId,
      door.clock.now(),
    ]);
  });
});
afterAll(() => door?.close());

async function newMember(unitId: string): Promise<string> {
  const personId = await door.newPerson({ unitId });
  await door.db.pool.query("insert into memberships (group_id, person_id, valid_from, recorded_from) values ($1, $2, $3, $3)", [
    groupId,
    personId,
    door.clock.now(),
  ]);
  return personId;
}
const access = async (personId: string) =>
  (await door.request("GET", `/people/${personId}/access?permission=test.door.open`).expect(200)).body.items.length;
const differences = async (id: string, query = "", token?: string) =>
  (await door.request("GET", `/previews/${id}/differences${query}`, token === undefined ? {} : { token }).expect(200)).body;

describe("the blast radius of a change", () => {
  test("B3: of a rule, before it is saved: counted, listed, and saved as it was shown", async () => {
    const [one, other] = [await newMember(sales), await newMember(top)];
    const rule = { name: "porters", group: "Porters", role: "porter", unit: "company" };
    const { body: preview } = await door.request("POST", "/rules/preview", { body: rule }).expect(201);
    expect(preview).toMatchObject({
      kind: "rule",
      people: 2,
      peopleWhoGain: 2,
      peopleWhoLose: 0,
      units: 2,
      gained: 4,
      lost: 0,
      byPermission: [{ permission: "test.door.open", gained: 4, lost: 0 }],
    });
    expect(preview.byUnit).toContainEqual({ unitId: sales, name: "Sales", code: "sales", gained: 2, lost: 0 });
    expect([await access(one), (await door.request("GET", "/rules").expect(200)).body.items]).toEqual([0, []]);
    const { items, next } = await differences(preview.id, `?unit=${sales}`);
    expect([items.map(({ personId }: { personId: string }) => personId).sort(), next]).toEqual([[one, other].sort(), null]);
    const first = await differences(preview.id, "?limit=3");
    expect(first.items).toHaveLength(3);
    expect((await differences(preview.id, `?limit=3&cursor=${first.next}`)).items).toHaveLength(1);
    await door.request("POST", `/previews/${preview.id}/apply`).expect(204);
    expect([await access(one), await access(other)]).toEqual([2, 2]);
    await door.request("POST", `/previews/${preview.id}/apply`).expect(404);

    const removal = (await door.request("POST", "/previews", { body: { kind: "ruleRemoval", name: "porters" } }).expect(201)).body;
    expect(removal).toMatchObject({ people: 2, gained: 0, lost: 4 });
    // Somebody joins meanwhile: what was shown is not what would be.
    await newMember(sales);
    expect((await door.request("POST", `/previews/${removal.id}/apply`).expect(412)).body.detail).toContain("stale");
    const again = (await door.request("POST", "/previews", { body: { kind: "ruleRemoval", name: "porters" } }).expect(201)).body;
    await door.request("POST", `/previews/${again.id}/apply`).expect(204);
    expect(await access(one)).toBe(0);
  });

  test("B3: of a role's content and of a unit's move", async () => {
    const personId = await door.newPerson();
    await door.work((work) => giveGrant(work, { personId, role: "porter", unit: "sales" }));
    const role = (
      await door.request("POST", "/previews", { body: { kind: "role", key: "porter", permissions: ["test.door.close"] } }).expect(201)
    ).body;
    expect(role).toMatchObject({ kind: "role", people: 1, gained: 1, lost: 1 });
    expect((await differences(role.id, "?change=lost")).items).toEqual([
      { personId, userName: expect.any(String), unitId: sales, permission: "test.door.open", change: "lost" },
    ]);
    const yard = await door.newUnit({ name: "Yard", parentId: top });
    const move = (await door.request("POST", "/previews", { body: { kind: "unitMove", unitId: yard, parentId: sales } }).expect(201)).body;
    expect(move).toMatchObject({ people: 1, gained: 1, lost: 0, byUnit: [{ unitId: yard }] });
    await door.request("POST", `/previews/${move.id}/apply`).expect(204);
    expect(await access(personId)).toBe(2);
    await door.request("POST", "/previews", { body: { kind: "unitMove", unitId: sales, parentId: yard } }).expect(422);
    await door.request("POST", "/previews", { body: { kind: "role", key: "porter", permissions: ["test.door.paint"] } }).expect(422);
  });

  test("invariant 7: who may not make the change may not see what it would do, and nobody sees another's preview or people out of reach", async () => {
    const unit = await door.newUnit({ name: "Own", parentId: top });
    const [left, right] = [await door.newUnit({ name: "Left", parentId: unit }), await door.newUnit({ name: "Right", parentId: unit })];
    const { token } = await door.newHolder({ role: "rollcall-unit-administrator", unitId: unit });
    const [inside, outside] = [await door.newPerson({ unitId: left }), await door.newPerson({ unitId: sales })];
    for (const personId of [inside, outside]) await door.work((work) => giveGrant(work, { personId, role: "porter", unit: right }));
    const { body: preview } = await door
      .request("POST", "/previews", { token, body: { kind: "unitMove", unitId: left, parentId: right } })
      .expect(201);
    expect(preview.people).toBe(2);
    expect((await differences(preview.id, "", token)).items.map(({ personId }: { personId: string }) => personId)).toEqual([inside]);
    await door.request("GET", `/previews/${preview.id}`).expect(404);
    await door.request("POST", "/previews", { token, body: { kind: "unitMove", unitId: left, parentId: sales } }).expect(404);
    await door.request("POST", "/previews", { token, body: { kind: "role", key: "porter", permissions: [] } }).expect(403);
    await door
      .request("POST", "/rules/preview", { token, body: { name: "x", group: "Porters", role: "porter", unit: "company" } })
      .expect(403);
    await door.request("POST", `/previews/${preview.id}/apply`, { token }).expect(204);
  });
});
