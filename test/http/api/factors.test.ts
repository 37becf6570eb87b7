import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createGroup, changeGroupMembers } from "../../../src/access/group-changes.ts";
import { giveGrant } from "../../../src/access/grants.ts";
import { createRole } from "../../../src/access/roles.ts";
import { addFactor, factorsOf } from "../../../src/auth/factors/factors.ts";
import { factorNeeded } from "../../../src/auth/factors/needed.ts";
import { keyRing } from "../scim/door.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
let below: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ type: "organization" });
  below = await door.newUnit({ parentId: top });
});
afterAll(() => door.close());

const needs = (personId: string) => factorNeeded(door.db.pool, { personId, at: door.clock.now() });
const withFactor = async (personId: string) => {
  const factor = { id: randomUUID(), personId, kind: "sms", label: "+35…67", sealed: "none" } as const;
  await door.work((work) => addFactor(work, { keyRing, factor }));
};

describe("who must have a second factor", () => {
  const require = (kind: string, subjectId: string, token?: string) =>
    door.request("POST", "/factor-requirements", { body: { kind, subjectId, reason: "policy" }, ...(token ? { token } : {}) });
  const lift = (id: string, token?: string) =>
    door.request("POST", `/factor-requirements/${id}/lift`, { body: { reason: "no longer" }, ...(token ? { token } : {}) });

  test("G3: by person, by unit with all below it, by role: held directly, through groups, inherited, and only while it is held", async () => {
    const [inUnit, elsewhere] = [await door.newPerson({ unitId: below }), await door.newPerson()];
    expect(await needs(inUnit)).toBe(false);
    const made = await require("unit", top).expect(201);
    expect(made.body).toMatchObject({ kind: "unit", subjectId: top, reason: "policy" });
    expect([await needs(inUnit), await needs(elsewhere)]).toEqual([true, false]);
    const { body } = await door.request("GET", `/people/${inUnit}/factors`).expect(200);
    expect(body).toEqual({ factors: [], recoveryCodesLeft: 0, needed: true, because: [{ id: made.body.id, kind: "unit" }] });
    await require("unit", top).expect(409);
    await lift(made.body.id).expect(204);
    await lift(made.body.id).expect(404);
    expect(await needs(inUnit)).toBe(false);

    const person = await require("person", elsewhere).expect(201);
    expect([await needs(inUnit), await needs(elsewhere)]).toEqual([false, true]);
    await lift(person.body.id).expect(204);

    const guarded = await door.work((work) => createRole(work, { key: "guarded", name: "Guarded", permissions: [], inherits: [] }));
    await door.work((work) => createRole(work, { key: "heir", name: "Heir", permissions: [], inherits: ["guarded"] }));
    await require("role", guarded).expect(201);
    const [holder, member, heirs, later] = await Promise.all(Array.from({ length: 4 }, () => door.newPerson()));
    const group = await door.work((work) => createGroup(work, { displayName: "Guards" }));
    await door.work(async (work) => {
      await giveGrant(work, { personId: holder, role: "guarded", unit: below });
      await giveGrant(work, { groupId: group, role: "guarded", unit: below });
      await changeGroupMembers(work, { groupId: group, add: { people: [member ?? ""], groups: [] }, remove: { people: [], groups: [] } });
      await giveGrant(work, { personId: heirs, role: "heir", unit: below, until: new Date(door.clock.now().getTime() + 3_600_000) });
      await giveGrant(work, { personId: later, role: "guarded", unit: below, from: new Date(door.clock.now().getTime() + 3_600_000) });
    });
    const all = () => Promise.all([holder, member, heirs, later, inUnit].map((each) => needs(each ?? "")));
    expect(await all()).toEqual([true, true, true, false, false]);
    door.clock.forward(3_600_001);
    expect(await all()).toEqual([true, true, false, true, false]);
    await require("role", randomUUID()).expect(404);
  });

  test("G3: a unit that is merged takes its requirement along; one that is deleted leaves none", async () => {
    const [from, into, empty] = [
      await door.newUnit({ parentId: top }),
      await door.newUnit({ parentId: top }),
      await door.newUnit({ parentId: top }),
    ];
    const personId = await door.newPerson({ unitId: from });
    await require("unit", from).expect(201);
    await require("unit", empty).expect(201);
    await door.request("POST", `/units/${from}/merge`, { body: { into, reason: "reorganised" }, headers: { "If-Match": "*" } }).expect(200);
    expect(await needs(personId)).toBe(true);
    await require("unit", into).expect(409);
    await door.request("DELETE", `/units/${empty}`, { body: { reason: "unused" }, headers: { "If-Match": "*" } }).expect(204);
    expect((await door.db.pool.query("select from factor_requirements where unit_id = any($1::uuid[])", [[from, empty]])).rowCount).toBe(0);
  });

  test("who steers a unit requires it there, and sees what is in reach; a role is the organisation's; nobody lifts their own", async () => {
    const unitId = await door.newUnit({ parentId: top });
    const other = await door.newUnit({ parentId: top });
    const { token, personId } = await door.newHolder({ role: "rollcall-administrator", unitId });
    const inside = await door.newPerson({ unitId });
    const boss = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    await door.db.pool.query(
      "insert into person_units (person_id, unit_id, valid_from, recorded_from) select p, $1, now(), now() from unnest($2::uuid[]) p",
      [unitId, [personId, boss.personId]],
    );
    const mine = await require("unit", unitId, token).expect(201);
    const forInside = await require("person", inside, token).expect(201);
    const forSelf = await require("person", personId, token).expect(201);
    const forBoss = await require("person", boss.personId, token).expect(201);
    await require("unit", other, token).expect(404);
    const role = await door.db.pool.query<{ id: string }>("select id from roles where key = 'rollcall-operator'");
    await require("role", role.rows[0]?.id ?? "", token).expect(403);
    const theirs = await require("unit", other).expect(201);
    const { body } = await door.request("GET", "/factor-requirements?limit=200", { token }).expect(200);
    const ids = (body as { items: { id: string }[] }).items.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining([mine.body.id, forInside.body.id, forSelf.body.id, forBoss.body.id]));
    expect(ids).not.toContain(theirs.body.id);
    const first = await door.request("GET", "/factor-requirements?limit=1", { token }).expect(200);
    const second = await door.request("GET", `/factor-requirements?limit=200&cursor=${first.body.next}`, { token }).expect(200);
    expect([first.body.items[0].id, ...second.body.items.map(({ id }: { id: string }) => id)]).toEqual(ids);
    await lift(theirs.body.id, token).expect(404);
    await lift(forSelf.body.id, token).expect(403);
    await lift(forBoss.body.id, token).expect(403);
    await lift(forInside.body.id, token).expect(204);
  });
});

describe("leaving a unit by which alone a second factor is required", () => {
  test("G3: is for who may lift that, where it is oneself or somebody who holds more; all others may be moved", async () => {
    const unitId = await door.newUnit({ parentId: top });
    const helper = await door.newHolder({ role: "rollcall-unit-administrator", unitId });
    const steering = await door.newHolder({ role: "rollcall-administrator", unitId });
    const boss = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    const inside = await door.newPerson();
    const people = [helper.personId, steering.personId, boss.personId, inside];
    await door.db.pool.query(
      "insert into person_units (person_id, unit_id, valid_from, recorded_from) select p, $1, now(), now() from unnest($2::uuid[]) p",
      [unitId, people],
    );
    const body = { kind: "unit", subjectId: unitId, reason: "policy" };
    await door.request("POST", "/factor-requirements", { body }).expect(201);
    const leave = (personId: string, token: string) =>
      door.request("PUT", `/people/${personId}/units`, { token, body: { unitIds: [] }, headers: { "If-Match": "*" } });
    for (const personId of [helper.personId, boss.personId])
      expect((await leave(personId, helper.token).expect(403)).body).toMatchObject({ field: "unitIds" });
    expect(await Promise.all(people.map(needs))).toEqual([true, true, true, true]);
    await leave(inside, helper.token).expect(200);
    await leave(steering.personId, steering.token).expect(200);
    // What somebody must have for another reason goes along.
    await door.request("POST", "/factor-requirements", { body: { ...body, kind: "person", subjectId: helper.personId } }).expect(201);
    await leave(helper.personId, helper.token).expect(200);
    expect(await Promise.all(people.map(needs))).toEqual([true, false, true, false]);
  });
});

test("G3: a unit is not moved, or merged, away from where a second factor is required by who may not lift that", async () => {
  const managed = await door.newUnit({ parentId: top });
  const requiring = await door.newUnit({ parentId: managed });
  const [moved, merged, other] = [
    await door.newUnit({ parentId: requiring }),
    await door.newUnit({ parentId: requiring }),
    await door.newUnit({ parentId: managed }),
  ];
  const inside = await door.newPerson({ unitId: moved });
  const { token } = await door.newHolder({ role: "rollcall-unit-administrator", unitId: managed });
  await door.request("POST", "/factor-requirements", { body: { kind: "unit", subjectId: requiring, reason: "policy" } }).expect(201);
  const headers = { "If-Match": "*" };
  const move = (unitId: string, parentId: string, by?: string) =>
    door.request("PATCH", `/units/${unitId}`, { ...(by ? { token: by } : {}), body: { parentId }, headers });
  expect((await move(moved, other, token).expect(403)).body).toMatchObject({ field: "parentId" });
  await door.request("POST", `/units/${merged}/merge`, { token, body: { into: other, reason: "x" }, headers }).expect(403);
  expect(await needs(inside)).toBe(true);
  await move(moved, merged, token).expect(200);
  await move(requiring, other, token).expect(200);
  expect(await needs(inside)).toBe(true);
  await move(moved, other).expect(200);
  expect(await needs(inside)).toBe(false);
});

describe("resetting somebody's factors", () => {
  test("G3: needs everything that the person may do, a reason, and is neither for oneself nor for what is not there", async () => {
    const unitId = await door.newUnit({ parentId: top });
    const helper = await door.newHolder({ role: "rollcall-administrator", unitId });
    const inside = await door.newPerson({ unitId });
    const boss = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    await door.db.pool.query(
      "insert into person_units (person_id, unit_id, valid_from, recorded_from) select p, $1, now(), now() from unnest($2::uuid[]) p",
      [unitId, [helper.personId, boss.personId]],
    );
    for (const each of [inside, boss.personId, helper.personId]) await withFactor(each);
    const reset = (personId: string, body: object = { reason: "lost the telephone" }) =>
      door.request("POST", `/people/${personId}/factors/reset`, { token: helper.token, body });
    await reset(inside, {}).expect(422);
    await reset(boss.personId).expect(403);
    await reset(helper.personId).expect(403);
    const { body } = await reset(inside).expect(200);
    expect(body).toEqual({ factors: 1 });
    await reset(inside).expect(409);
    expect(await factorsOf(door.db.pool, boss.personId)).toHaveLength(1);
    const shown = await door.request("GET", `/people/${boss.personId}/factors`, { token: boss.token }).expect(200);
    expect(shown.body).toMatchObject({ factors: [{ kind: "sms", label: "+35…67", lastUsedAt: null }], recoveryCodesLeft: 10 });
    expect(JSON.stringify(shown.body)).not.toContain("sealed");
  });

  test("who is deleted for good leaves nothing of them", async () => {
    const personId = await door.newPerson();
    await withFactor(personId);
    await door.request("POST", "/factor-requirements", { body: { kind: "person", subjectId: personId, reason: "policy" } }).expect(201);
    const { body: standing } = await door.request("GET", `/people/${personId}/deletion`).expect(200);
    const asked = new URLSearchParams({ confirm: standing.userName, reason: "asked for it", force: "true" });
    await door.request("DELETE", `/people/${personId}?${asked.toString()}`).expect(200);
    for (const table of ["factors", "recovery_codes", "factor_requirements", "factor_challenges"])
      expect((await door.db.pool.query(`select from ${table} where person_id = $1`, [personId])).rowCount).toBe(0);
  });
});
