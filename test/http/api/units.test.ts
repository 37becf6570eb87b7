import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { checkAccess } from "../../../src/access/effective.ts";
import { giveGrant } from "../../../src/access/grants.ts";
import { makeRequest } from "../../../src/access/requests.ts";
import { createRule } from "../../../src/access/rules.ts";
import { treesOf, type UnitNode } from "../../../src/directory/unit-tree.ts";
import { testContext } from "../../helpers/database.ts";
import { world } from "../../helpers/memory-source.ts";
import { person, syncWorld, testConnection } from "../../helpers/sync.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization" });
});
afterAll(() => door?.close());

const ANY = { "If-Match": "*" };
const REASON = { reason: "reorganised" };
const ROLE = "rollcall-access-checker";
const may = (personId: string, unitId: string, at = door.clock.now()) =>
  checkAccess(door.db.pool, { personId, unitId, permission: "rollcall.access.check", at });
const remove = (id: string, body: object = REASON, token = door.token) =>
  door.request("DELETE", `/units/${id}`, { body, headers: ANY, token });
const merge = (id: string, into: string, token = door.token) =>
  door.request("POST", `/units/${id}/merge`, { body: { into, ...REASON }, headers: ANY, token });

describe("units by API", () => {
  test("A4: merged into another, its people, grants, rules, requests and units go there, and the past stays", async () => {
    const from = await door.newUnit({ name: "Old", parentId: top, code: "OLD" });
    const into = await door.newUnit({ name: "New", parentId: top, code: "NEW" });
    const child = await door.newUnit({ name: "Child", parentId: from });
    const member = await door.newPerson({ unitId: from });
    const holder = await door.newPerson();
    await door.work((work) => giveGrant(work, { personId: holder, role: ROLE, unit: from, until: new Date("2090-01-01") }));
    const group = "33333333-3333-4333-8333-333333333333";
    const now = door.clock.now();
    await door.db.pool.query("insert into groups (id, display_name, created_at, modified_at) values ($1, 'Ruled', $2, $2)", [group, now]);
    await door.db.pool.query("insert into memberships (group_id, person_id, valid_from, recorded_from) values ($1, $2, $3, $3)", [
      group,
      member,
      now,
    ]);
    await door.work((work) => createRule(work, { name: "ruled", group: "Ruled", role: ROLE, unit: "OLD" }));
    const request = await door.work((work) =>
      makeRequest(work, { personId: member, requestedBy: holder, role: ROLE, unitId: from, reason: "asked" }),
    );
    const before = door.clock.now();
    door.clock.forward(1000);
    const { body } = await merge(from, into).expect(200);
    expect(body).toMatchObject({ id: into, people: 1, children: 1 });
    await door.request("GET", `/units/${from}`).expect(404);
    expect(await Promise.all([may(holder, into), may(holder, child), may(member, into)])).toEqual([true, true, true]);
    expect(await Promise.all([may(holder, from, before), may(holder, into, before)])).toEqual([true, false]);
    const { body: moved } = await door.request("GET", `/grants?person=${holder}&state=current`);
    expect(moved.items).toMatchObject([{ unit: { id: into }, until: "2090-01-01T00:00:00.000Z" }]);
    expect((await door.request("GET", `/requests/${request}`)).body.unit.id).toBe(into);
    const { rows } = await door.db.pool.query("select unit_code::text as code, version from rules where name = 'ruled'");
    expect(rows).toEqual([{ code: "NEW", version: 2 }]);
    const { rows: events } = await door.db.pool.query("select reason, data from audit_events where name = 'unit.merged'");
    expect(events).toEqual([{ reason: "reorganised", data: { into, people: 1, grants: 1, rules: 1, children: 1 } }]);
    const { rows: periods } = await door.db.pool.query(
      "select unit_id, valid_to is null as open from person_units where person_id = $1 and recorded_to is null order by valid_from",
      [member],
    );
    expect(periods).toEqual([
      { unit_id: from, open: false },
      { unit_id: into, open: true },
    ]);
    await door.newUnit({ name: "Again", parentId: top, code: "OLD" });
  });

  test("M3: whom a connection names into it by its code, before it was there, is in it at once; nobody draws people in by what they call a unit of theirs", async () => {
    const ctx = testContext({ now: door.clock.now });
    await testConnection(door.db, ctx, { name: "feed" });
    const names = ["AWAITED", "LAST", "LURED"];
    await syncWorld(door.db, ctx, { connection: "feed", world: world([person("waits", { units: names })]) });
    const units = async () => {
      const { rows } = await door.db.pool.query<{ code: string }>(
        `select u.code::text as code from people p join person_units pu on pu.person_id = p.id and pu.recorded_to is null and pu.valid_to is null
         join units u on u.id = pu.unit_id where p.user_name = 'waits' order by u.code`,
      );
      return rows.map(({ code }) => code);
    };
    const { body } = await door.request("POST", "/units", { body: { name: "Awaited", code: "AWAITED", parentId: top } }).expect(201);
    expect(body).toMatchObject({ people: 1 });
    const last = await door.newUnit({ name: "Last", parentId: top });
    await door.request("PATCH", `/units/${last}`, { body: { code: "LAST" }, headers: ANY }).expect(200);
    expect(await units()).toEqual(["AWAITED", "LAST"]);
    const corner = await door.newUnit({ name: "Corner", parentId: top });
    const { token } = await door.newHolder({ role: "rollcall-administrator", unitId: corner });
    await door.request("POST", "/units", { token, body: { name: "Lured", code: "LURED", parentId: corner } }).expect(201);
    expect(await units()).toEqual(["AWAITED", "LAST"]);
  });

  test("A4: it is not deleted while it holds anything, unless told where that goes; not into what stands below it", async () => {
    const unit = await door.newUnit({ name: "Full", parentId: top });
    const child = await door.newUnit({ name: "Below", parentId: unit });
    await door.newPerson({ unitId: unit });
    const { body } = await remove(unit).expect(409);
    expect(body.detail).toContain("people: 1, children: 1");
    await remove(unit, { ...REASON, moveTo: child }).expect(422);
    await remove(unit, { ...REASON, moveTo: unit }).expect(422);
    await remove(unit, { ...REASON, moveTo: top }).expect(204);
    expect((await door.request("GET", `/units/${child}`)).body.parentId).toBe(top);
    await remove(child).expect(204);
    await remove(child).expect(404);
  });

  test("A4: nobody gives by a merge what they could not give there", async () => {
    const [small, big] = [await door.newUnit({ name: "Small", parentId: top }), await door.newUnit({ name: "Big", parentId: top })];
    const own = await door.newHolder({ role: "rollcall-unit-administrator", unitId: small });
    await merge(small, big, own.token).expect(404);
    await door.work((work) => giveGrant(work, { personId: own.personId, role: "rollcall-unit-administrator", unit: big }));
    const clerk = await door.newPerson();
    await door.work((work) => giveGrant(work, { personId: clerk, role: "register-admin", unit: small }));
    await merge(small, big, own.token).expect(403);
    await merge(small, big).expect(200);
  });

  test("invariant 9: what a directory masters is changed there, and the answer says where", async () => {
    const unit = await door.newUnit({ name: "From AD", parentId: top });
    await door.db.pool.query("insert into connections (name, connector) values ('corporate-ad', 'ldap') on conflict do nothing");
    const setOrigin = () =>
      door.db.pool.query("update units set origin_id = (select id from connections where name = 'corporate-ad') where id = $1", [unit]);
    await setOrigin();
    const { body } = await door.request("PATCH", `/units/${unit}`, { body: { name: "Mine" }, headers: ANY }).expect(409);
    expect(body.detail).toContain("corporate-ad");
    await remove(unit).expect(409);
    await merge(unit, top).expect(409);
    await door.db.pool.query("update units set origin_id = null where id = $1", [unit]);
    const personId = await door.newPerson();
    const now = door.clock.now();
    await door.db.pool.query(
      "insert into person_units (person_id, unit_id, connection_id, valid_from, recorded_from) select $1, $2, id, $3, $3 from connections where name = 'corporate-ad'",
      [personId, unit, now],
    );
    expect((await merge(unit, top).expect(409)).body.detail).toContain("corporate-ad");
  });

  test("A4: types are known ones, and an organisation adds its own", async () => {
    const create = (type: string) => door.request("POST", "/units", { body: { name: "Typed", type, parentId: top } });
    expect((await create("branch").expect(422)).body.detail).toContain("department");
    await door.request("POST", "/unit-types", { body: { key: "branch", name: "Branch" } }).expect(201);
    const { body: unit } = await create("branch").expect(201);
    await door.request("DELETE", "/unit-types/branch").expect(409);
    await remove(unit.id).expect(204);
    await door.request("DELETE", "/unit-types/branch").expect(204);
    await door.request("DELETE", "/unit-types/team").expect(403);
  });

  test("A4: of a type each sees how many are in reach, and no more", async () => {
    const [mine, foreign] = [await door.newUnit({ parentId: top, type: "team" }), await door.newUnit({ parentId: top, type: "team" })];
    await door.newUnit({ parentId: mine, type: "location" });
    await door.newUnit({ parentId: foreign, type: "location" });
    const { token } = await door.newHolder({ role: "rollcall-unit-administrator", unitId: mine });
    const counted = async (as?: string) => {
      const { body } = await door.request("GET", "/unit-types", as === undefined ? {} : { token: as }).expect(200);
      return Object.fromEntries(body.types.map(({ key, units }: { key: string; units: number }) => [key, units]));
    };
    expect(await counted(token)).toMatchObject({ organization: 0, team: 1, location: 1 });
    const all = await counted();
    expect(all["team"]).toBeGreaterThan(1);
    expect(all["location"]).toBeGreaterThan(1);
  });

  test("A4: the tree shows what is in reach, nested, from a root and so deep as asked for", async () => {
    const a = await door.newUnit({ name: "A", parentId: top });
    const b = await door.newUnit({ name: "B", parentId: a });
    const c = await door.newUnit({ name: "C", parentId: b });
    const clerk = await door.newPerson({ unitId: b });
    const { token } = await door.newHolder({ role: "rollcall-help-desk", unitId: a });
    const tree = async (query = "") => (await door.request("GET", `/units/tree${query}`, { token }).expect(200)).body.units as UnitNode[];
    expect(await tree()).toMatchObject([{ id: a, people: 0, units: [{ id: b, people: 1, units: [{ id: c, units: [] }] }] }]);
    expect(await tree("?depth=1")).toMatchObject([{ id: a, units: [{ id: b, units: [] }] }]);
    expect(await tree(`?root=${b}`)).toMatchObject([{ id: b, units: [{ id: c }] }]);
    await door.request("GET", `/units/tree?root=${top}`, { token }).expect(404);
    const { body } = await door.request("GET", `/units/${a}/people`, { token }).expect(200);
    expect(body.items.map(({ id }: { id: string }) => id)).toEqual([clerk]);
    await door.request("GET", `/units/${top}/people`, { token }).expect(404);
  });

  test("A4: a rule that waits for a unit's code acts when the code is given here", async () => {
    const group = "44444444-4444-4444-8444-444444444444";
    const personId = await door.newPerson();
    const now = door.clock.now();
    await door.db.pool.query("insert into groups (id, display_name, created_at, modified_at) values ($1, 'Waiting', $2, $2)", [group, now]);
    await door.db.pool.query("insert into memberships (group_id, person_id, valid_from, recorded_from) values ($1, $2, $3, $3)", [
      group,
      personId,
      now,
    ]);
    await door.work((work) => createRule(work, { name: "waiting", group: "Waiting", role: ROLE, unit: "LATER" }));
    const unit = await door.newUnit({ name: "Later", parentId: top });
    expect(await may(personId, unit)).toBe(false);
    await door.request("PATCH", `/units/${unit}`, { body: { code: "LATER" }, headers: ANY }).expect(200);
    expect(await may(personId, unit)).toBe(true);
  });

  test("A4: the organisation that its administrator stands on does not lose its rank", async () => {
    const other = await door.newUnit({ name: "Other company", type: "organization" });
    const { token } = await door.newHolder({ role: "rollcall-administrator", unitId: other });
    const change = (body: object) => door.request("PATCH", `/units/${other}`, { body, headers: ANY, token });
    expect((await change({ type: "department" }).expect(409)).body.detail).toContain("administrator");
    await change({ name: "Renamed" }).expect(200);
  });

  test("A4: nobody moves a unit to the top, out of their own reach: nobody above it would see it again", async () => {
    const unit = await door.newUnit({ name: "Branch", parentId: top });
    const { personId, token } = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    const toTheTop = () => door.request("PATCH", `/units/${unit}`, { token, headers: ANY, body: { parentId: null } });
    expect((await toTheTop().expect(409)).body).toMatchObject({ field: "parentId" });
    await door.request("POST", "/previews", { token, body: { kind: "unitMove", unitId: unit, parentId: null } }).expect(409);
    await door.work((work) => giveGrant(work, { personId, role: "rollcall-administrator", unit }));
    await toTheTop().expect(200);
    await door.request("GET", `/units/${unit}`, { token }).expect(200);
    await door.request("PATCH", `/units/${unit}`, { token, headers: ANY, body: { parentId: top } }).expect(200);
  });

  test("A4: nobody adds a unit at the top, out of every administrator's reach", async () => {
    const { token } = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    const add = (by: string, more = {}) => door.request("POST", "/units", { token: by, body: { name: "Elsewhere", ...more } });
    for (const more of [{}, { parentId: null }, { type: "organization" }])
      expect((await add(token, more).expect(409)).body).toMatchObject({ field: "parentId", code: "conflict" });
    await add(door.token).expect(201);
    const narrow = await door.newToken({ permissions: ["rollcall.units.edit"] });
    await add(narrow).expect(201);
    // From there everything is steered.
    await add(narrow, { type: "organization" }).expect(403);
  });

  test("A4: whatever units, the trees hold each of them once", () => {
    const ids = ["a", "b", "c", "d", "e", "f"];
    const parents = fc.tuple(...ids.map((_, index) => fc.option(fc.constantFrom(...ids.slice(0, index), "elsewhere"))));
    fc.assert(
      fc.property(parents, (parentIds) => {
        const units = ids.map((id, index) => ({ id, name: id, code: null, type: "team", parentId: parentIds[index] ?? null, people: 0 }));
        const flat = (nodes: readonly UnitNode[]): string[] => nodes.flatMap(({ id, units: below }) => [id, ...flat(below)]);
        expect(flat(treesOf(units)).sort()).toEqual(ids);
      }),
    );
  });
});
