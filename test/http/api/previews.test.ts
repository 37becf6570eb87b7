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
    await createRole(work, { key: "closer", name: "Closer", permissions: ["test.door.close"] });
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

  test("B3: of members of a group: through other groups, and with what conditions of rules make of it; saved as it was shown", async () => {
    const made = async (path: string, body: object) => (await door.request("POST", path, { body }).expect(201)).body.id as string;
    const [outer, inner] = [await made("/groups", { displayName: "Openers" }), await made("/groups", { displayName: "Night openers" })];
    await made("/grants", { groupId: outer, role: "porter", unitId: sales, reason: "they open" });
    await made("/rules", { name: "closers", condition: '"Openers" in person.groups', role: "closer", unit: "sales" });
    const [one, other, third] = [
      await door.newPerson({ unitId: sales }),
      await door.newPerson({ unitId: sales }),
      await door.newPerson({ unitId: sales }),
    ];
    const change = (id: string, body: object) => door.request("POST", `/groups/${id}/members`, { body }).expect(200);
    await change(inner, { add: { people: [one] } });
    await change(outer, { add: { people: [third] } });
    const asked = {
      kind: "groupMembers",
      groupId: outer,
      add: { groups: [inner], people: [other] },
      remove: { people: [third] },
      reason: "the night",
    };
    const { body: preview } = await door.request("POST", "/previews", { body: asked }).expect(201);
    const units = await access(third);
    expect(preview).toMatchObject({ people: 3, peopleWhoGain: 2, peopleWhoLose: 1, gained: 4 * units, lost: 2 * units, leavesOut: [] });
    expect([await access(one), await access(other)]).toEqual([0, 0]);
    expect((await door.request("GET", `/groups/${outer}`).expect(200)).body).toMatchObject({ members: 1, groups: 0 });
    const gained = (await differences(preview.id, `?person=${one}&unit=${sales}`)).items;
    expect(gained.map((each: { permission: string; change: string }) => `${each.permission} ${each.change}`).sort()).toEqual([
      "test.door.close gained",
      "test.door.open gained",
    ]);
    await door.request("POST", `/previews/${preview.id}/apply`).expect(204);
    expect([await access(one), await access(other), await access(third)]).toEqual([units, units, 0]);

    const back = (await door.request("POST", "/previews", { body: { ...asked, add: {}, remove: { groups: [inner] } } }).expect(201)).body;
    expect(back).toMatchObject({ people: 1, lost: 2 * units });
    await change(inner, { add: { people: [third] } });
    await door.request("POST", `/previews/${back.id}/apply`).expect(412);
    await door.request("POST", "/previews", { body: { ...asked, groupId: third } }).expect(404);
    const circle = { ...asked, groupId: inner, add: { groups: [outer] }, remove: {} };
    await door.request("POST", "/previews", { body: circle }).expect(422);
  });

  test("B1, B3: somebody else's change of the same role, rule or unit is not saved over, though it made no difference to anybody", async () => {
    const unit = await door.newUnit({ name: "Empty", parentId: top, code: "empty" });
    const rule = { name: "nobody yet", group: "Nobody", role: "porter", unit: "empty" };
    await door.request("POST", "/roles", { body: { key: "lonely", name: "Lonely", permissions: ["test.door.open"] } }).expect(201);
    const { body: made } = await door.request("POST", "/rules", { body: rule }).expect(201);
    const changes = [
      [{ kind: "role", key: "lonely", permissions: [] }, "/roles/lonely", { permissions: ["test.door.close"] }],
      [{ kind: "roleRemoval", key: "lonely", reason: "unused" }, "/roles/lonely", { name: "Not alone" }],
      [{ kind: "rule", rule: { ...rule, unit: "sales" } }, `/rules/${made.id}`, { enabled: false }],
      [{ kind: "ruleRemoval", name: rule.name }, `/rules/${made.id}`, { enabled: true }],
      [{ kind: "unitMove", unitId: unit, parentId: sales }, `/units/${unit}`, { name: "Not empty any more" }],
      [{ kind: "unitMerge", unitId: unit, into: sales, reason: "empty" }, `/units/${unit}`, { name: "Empty again" }],
    ] as const;
    for (const [change, at, meanwhile] of changes) {
      const { body: preview } = await door.request("POST", "/previews", { body: change }).expect(201);
      await door.request("PATCH", at, { body: meanwhile, headers: { "If-Match": "*" } }).expect(200);
      const { body: stale } = await door.request("POST", `/previews/${preview.id}/apply`).expect(412);
      expect([change.kind, stale.code]).toEqual([change.kind, "precondition_failed"]);
      const { body: fresh } = await door.request("POST", "/previews", { body: change }).expect(201);
      if (change.kind === "unitMerge") await door.request("POST", `/previews/${fresh.id}/apply`).expect(204);
    }
    const { body: coming } = await door.request("POST", "/rules/preview", { body: { ...rule, name: "coming" } }).expect(201);
    await door.request("POST", "/rules", { body: { ...rule, name: "coming", enabled: false } }).expect(201);
    await door.request("POST", `/previews/${coming.id}/apply`).expect(412);
  });

  test("B3: a unit that comes elsewhere leaves a preview as it is, one that comes where it gives something makes it stale", async () => {
    await newMember(sales);
    const east = await door.newUnit({ name: "East", parentId: sales, code: "sales-east" });
    const rule = { name: "closers of sales", group: "Porters", role: "closer", unit: "sales" };
    const { body: preview } = await door.request("POST", "/rules/preview", { body: rule }).expect(201);
    for (const name of ["One", "Two", "Three", "Four", "Five", "Six"]) await door.newUnit({ name, parentId: top, code: `beside-${name}` });
    await door.request("POST", `/previews/${preview.id}/apply`).expect(204);
    const { body: removal } = await door.request("POST", "/previews", { body: { kind: "ruleRemoval", name: rule.name } }).expect(201);
    await door.newUnit({ name: "Far east", parentId: east, code: "sales-far-east" });
    await door.request("POST", `/previews/${removal.id}/apply`).expect(412);
  });

  test("B1: what was shown is saved once, however often and at the same time it is asked to be", async () => {
    const rule = { name: "nobody", condition: 'person.title == "nobody at all"', role: "porter", unit: "sales" };
    const { body: preview } = await door.request("POST", "/rules/preview", { body: rule }).expect(201);
    const answers = await Promise.all([1, 2, 3].map(() => door.request("POST", `/previews/${preview.id}/apply`)));
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404, 404]);
  });

  test("B3: of a role that goes with its grants, and of units that are merged; refused as the change itself would be", async () => {
    const role = (key: string, more: object) => door.request("POST", "/roles", { body: { key, name: key, ...more } }).expect(201);
    await role("parent", { permissions: ["test.door.open"] });
    await role("heir", { permissions: ["test.door.close"], inherits: ["parent"] });
    const unit = async (name: string, parentId: string) => door.newUnit({ name, parentId, code: name });
    const east = await unit("east", top);
    const [yard, west] = [await unit("yard", east), await unit("west", top)];
    const give = (personId: string, key: string, unitId: string) =>
      door.work((work) => giveGrant(work, { personId, role: key, unit: unitId }));
    const [holder, heir] = [await door.newPerson({ unitId: west }), await door.newPerson({ unitId: west })];
    await give(holder, "parent", west);
    await give(heir, "heir", west);
    const asked = { kind: "roleRemoval", key: "parent", reason: "nobody opens" };
    const { body: removal } = await door.request("POST", "/previews", { body: asked }).expect(201);
    expect(removal).toMatchObject({ people: 2, gained: 0, lost: 2, byPermission: [{ permission: "test.door.open", lost: 2 }] });
    expect([await access(holder), await access(heir)]).toEqual([1, 1]);
    await door.request("POST", `/previews/${removal.id}/apply`).expect(204);
    expect([await access(holder), await access(heir)]).toEqual([0, 0]);
    await door.request("POST", "/previews", { body: asked }).expect(404);
    await door.request("POST", "/previews", { body: { ...asked, key: "register-user" } }).expect(403);

    await door
      .request("POST", "/rules", { body: { name: "east", condition: '"east" in person.units', role: "porter", unit: "east" } })
      .expect(201);
    const [easterner, westerner] = [await door.newPerson({ unitId: east }), await door.newPerson({ unitId: west })];
    await door.request("PUT", `/people/${easterner}/units`, { headers: { "If-Match": "*" }, body: { unitIds: [yard, east] } }).expect(200);
    await give(westerner, "porter", west);
    const overseer = await door.newPerson({ unitId: top });
    await give(overseer, "porter", top);
    const overseen = await access(overseer);
    expect([await access(easterner), await access(westerner)]).toEqual([2, 1]);
    const merge = { kind: "unitMerge", unitId: east, into: west, reason: "one roof" };
    const { body: shown } = await door.request("POST", "/previews", { body: merge }).expect(201);
    // The condition names a unit that is not there any more; who opened in the west opens in the yard, too.
    expect(shown).toMatchObject({ peopleWhoGain: 2, gained: 2, peopleWhoLose: 2, lost: 3 });
    const items = (await differences(shown.id)).items as { personId: string; unitId: string; change: string }[];
    expect(items.map(({ personId, unitId, change }) => [personId, unitId, change])).toEqual(
      expect.arrayContaining([
        [westerner, yard, "gained"],
        [easterner, yard, "lost"],
        [easterner, east, "lost"],
        [overseer, east, "lost"],
      ]),
    );
    expect([await access(easterner), await access(westerner)]).toEqual([2, 1]);
    await door.request("POST", `/previews/${shown.id}/apply`).expect(204);
    expect([await access(easterner), await access(westerner), await access(overseer)]).toEqual([0, 2, overseen - 1]);
    await door.request("GET", `/units/${east}`).expect(404);
    const { token } = await door.newHolder({ role: "rollcall-unit-administrator", unitId: yard });
    await door.request("POST", "/previews", { token, body: { ...merge, unitId: yard } }).expect(404);
    await door.request("POST", "/previews", { token, body: { ...asked, key: "heir" } }).expect(403);
  });

  test("many previews at once are made in their turn, and those beyond the line are told to come again; nobody else waits for them", async () => {
    const holding = await door.db.pool.connect();
    try {
      await holding.query("begin");
      await holding.query("lock table nestings in access exclusive mode");
      const body = { kind: "role", key: "porter", permissions: [] };
      const statuses: number[] = [];
      const all = Array.from({ length: 30 }, async () => {
        const { status, headers } = await door.request("POST", "/previews", { body });
        statuses.push(status);
        return status === 503 ? headers["retry-after"] : undefined;
      });
      while (statuses.length < 8) await new Promise((resolve) => setTimeout(resolve, 20));
      await door.request("POST", "/units", { body: { name: "Meanwhile" } }).expect(201);
      expect(statuses).toEqual(Array.from({ length: 8 }, () => 503));
      await holding.query("commit");
      expect((await Promise.all(all)).filter((after) => after === "5")).toHaveLength(8);
      expect(statuses.filter((status) => status === 201)).toHaveLength(22);
    } finally {
      holding.release();
    }
  });

  test("B3: what could not be saved is not previewed: predefined roles, roles in a circle, units that a connection masters", async () => {
    const refused = async (body: unknown, status: number) => {
      const { body: problem } = await door.request("POST", "/previews", { body }).expect(status);
      return problem.field;
    };
    const inner = { key: "round-inner", name: "Inner", permissions: ["test.door.open"] };
    await door.request("POST", "/roles", { body: inner }).expect(201);
    await door
      .request("POST", "/roles", { body: { key: "round-outer", name: "Outer", permissions: [], inherits: [inner.key] } })
      .expect(201);
    expect(await refused({ kind: "role", key: "register-user", permissions: [] }, 403)).toBe("role");
    expect(await refused({ kind: "role", key: inner.key, inherits: ["round-outer"] }, 422)).toBe("inherits");
    expect(await refused({ kind: "role", key: inner.key, inherits: [inner.key] }, 422)).toBe("inherits");
    const mastered = await door.newUnit({ name: "Mastered", parentId: top });
    await door.db.pool.query(
      "with made as (insert into connections (name, connector, settings) values ('units-of', 'csv', '{}') returning id) update units set origin_id = made.id from made where units.id = $1",
      [mastered],
    );
    expect(await refused({ kind: "unitMove", unitId: mastered, parentId: sales }, 409)).toBe("origin");
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
