import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { checkAccess } from "../../../src/access/effective.ts";
import { giveGrant } from "../../../src/access/grants.ts";
import { createRole } from "../../../src/access/roles.ts";
import { createRule } from "../../../src/access/rules.ts";
import { loadConnection } from "../../../src/connections/open.ts";
import { syncFederated } from "../../../src/sync/federated-account.ts";
import { keyRing } from "../scim/door.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

const ANY = { "If-Match": "*" };
const REASON = { reason: "tried" };
const UNIT_ADMINISTRATOR = "rollcall-unit-administrator";

let door: ApiDoor;
let top: string;
let own: string;
let foreign: string;
let keeper: { personId: string; token: string };

beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization" });
  own = await door.newUnit({ name: "Own", parentId: top });
  foreign = await door.newUnit({ name: "Foreign", parentId: top });
  await door.newHolder({ role: "rollcall-administrator", unitId: top });
  keeper = await door.newHolder({ role: UNIT_ADMINISTRATOR, unitId: own });
  await door.work((work) => createRole(work, { key: "mover", name: "Mover", permissions: ["rollcall.units.view", "rollcall.units.edit"] }));
});
afterAll(() => door?.close());

const may = (personId: string, permission: string, unitId: string) =>
  checkAccess(door.db.pool, { personId, unitId, permission, at: door.clock.now() });
const nameOf = async (personId: string) =>
  (await door.db.pool.query<{ name: string }>("select user_name as name from people where id = $1", [personId])).rows[0]?.name ?? "";
const join = (personId: string, unitId: string) =>
  door.db.pool.query("insert into person_units (person_id, unit_id, valid_from, recorded_from) values ($1, $2, now(), now())", [
    personId,
    unitId,
  ]);

describe("nobody brings themselves, or gives, more than they hold", () => {
  test("A1: a unit at the top is not made the organisation by who administers that unit alone", async () => {
    const branch = await door.newUnit({ name: "Branch", type: "department" });
    const { personId, token } = await door.newHolder({ role: "rollcall-administrator", unitId: branch });
    await door.request("PATCH", `/units/${branch}`, { token, headers: ANY, body: { type: "organization" } }).expect(403);
    await door.request("POST", "/roles", { token, body: { key: "mine", name: "Mine" } }).expect(403);
    expect(await may(personId, "rollcall.roles.edit", top)).toBe(false);
    await door.request("PATCH", `/units/${branch}`, { token, headers: ANY, body: { type: "location" } }).expect(200);
  });

  test("P7: who leads somebody does not take them into their own unit, nor put themselves there", async () => {
    const report = await door.newPerson({ unitId: foreign, managerId: keeper.personId });
    const put = (id: string, unitIds: string[]) =>
      door.request("PUT", `/people/${id}/units`, { token: keeper.token, headers: ANY, body: { unitIds } });
    await put(report, [foreign, own]).expect(403);
    await put(keeper.personId, [own]).expect(403);
    await door.request("POST", `/people/${report}/suspend`, { token: keeper.token, body: REASON }).expect(403);
    const member = await door.newPerson({ unitId: own });
    const room = await door.newUnit({ name: "Room", parentId: own });
    await put(member, [own, room]).expect(200);
  });

  test("A4: attributes that rules ask for, and those that accounts are matched by, are changed by somebody else, even in one's own unit", async () => {
    await door.newUnit({ name: "Head office", parentId: top, code: "HEAD" });
    await door.work((work) =>
      createRule(work, { name: "chiefs", condition: 'person.profile.title == "Chief"', role: "rollcall-administrator", unit: "HEAD" }),
    );
    const self = await door.newHolder({ role: UNIT_ADMINISTRATOR, unitId: own });
    await join(self.personId, own);
    const patch = (id: string, body: object, token = self.token) => door.request("PATCH", `/people/${id}`, { token, headers: ANY, body });
    await patch(self.personId, { title: "Chief" }).expect(403);
    await patch(self.personId, { employeeNumber: "1" }).expect(403);
    await patch(self.personId, { emails: [{ value: "chief@example.org", primary: true }] }).expect(403);
    await patch(self.personId, { costCenter: "4711" }).expect(200);
  });

  test("A4: who may not give what Rollcall itself is steered by does not do so by way of somebody's attributes", async () => {
    const other = await door.newPerson({ unitId: own });
    await door.request("PATCH", `/people/${other}`, { token: keeper.token, headers: ANY, body: { title: "Chief" } }).expect(403);
    await door
      .request("POST", "/people", { token: keeper.token, body: { userName: "accomplice", title: "Chief", unitIds: [own] } })
      .expect(403);
    await door.request("PATCH", `/people/${other}`, { headers: ANY, body: { title: "Chief" } }).expect(200);
  });

  test("A4: a unit does not take a code for which a rule gives what its administrator could not give", async () => {
    const group = (await door.request("POST", "/groups", { body: { displayName: "Waiting" } }).expect(201)).body.id;
    await door.request("POST", `/groups/${group}/members`, { body: { add: { people: [keeper.personId] } } }).expect(200);
    await door.work((work) => createRule(work, { name: "waiting", group: "Waiting", role: "rollcall-administrator", unit: "COMING" }));
    const { token } = keeper;
    await door.request("PATCH", `/units/${own}`, { token, headers: ANY, body: { code: "COMING" } }).expect(403);
    await door.request("POST", "/units", { token, body: { name: "Trap", code: "COMING", parentId: own } }).expect(403);
    const { body } = await door.request("POST", "/units", { body: { name: "Coming", code: "COMING", parentId: own } }).expect(201);
    expect(await may(keeper.personId, "rollcall.people.delete", body.id)).toBe(true);
    await door.request("PATCH", `/units/${body.id}`, { token: keeper.token, headers: ANY, body: { code: null } }).expect(200);
  });

  test("A4: a unit does not come under others who could not be given there what they hold", async () => {
    const held = await door.newUnit({ name: "Held", parentId: foreign });
    const { personId, token } = await door.newHolder({ role: UNIT_ADMINISTRATOR, unitId: own });
    await door.work((work) => giveGrant(work, { personId, role: "mover", unit: held }));
    await door.request("PATCH", `/units/${held}`, { token, headers: ANY, body: { parentId: own } }).expect(403);
    await door.request("POST", `/units/${held}/merge`, { token, headers: ANY, body: { into: own, ...REASON } }).expect(403);
    await door.request("DELETE", `/units/${held}`, { token, headers: ANY, body: { moveTo: own, ...REASON } }).expect(403);
    await door.request("POST", "/previews", { token, body: { kind: "unitMove", unitId: held, parentId: own } }).expect(403);
    expect(await may(personId, "rollcall.people.edit", held)).toBe(false);
    const [a, b] = [await door.newUnit({ name: "A", parentId: own }), await door.newUnit({ name: "B", parentId: own })];
    await door.request("PATCH", `/units/${a}`, { token, headers: ANY, body: { parentId: b } }).expect(200);
  });

  test("A4: nobody takes from others what Rollcall is steered by, by way of attributes, units, codes or moves", async () => {
    const { token } = keeper;
    await door.newUnit({ name: "Board", parentId: top, code: "BOARD" });
    const room = await door.newUnit({ name: "Seat", parentId: own, code: "SEAT" });
    const rule = (name: string, condition: string) =>
      door.work((work) => createRule(work, { name, condition, role: "rollcall-administrator", unit: "BOARD" }));
    await rule("by title", 'person.title == "Director"');
    await rule("by unit", '"SEAT" in person.units');
    const made = async (body: object) =>
      (await door.request("POST", "/people", { body: { unitIds: [room], ...body } }).expect(201)).body.id as string;
    const [titled, seated] = [await made({ userName: "titled", title: "Director", unitIds: [own] }), await made({ userName: "seated" })];
    const board = (await door.request("GET", "/units?q=BOARD").expect(200)).body.items[0].id;
    const hold = async () => [await may(titled, "rollcall.people.delete", board), await may(seated, "rollcall.people.delete", board)];
    expect(await hold()).toEqual([true, true]);
    const patch = (path: string, body: object) => door.request("PATCH", path, { token, headers: ANY, body });
    await patch(`/people/${titled}`, { title: "Porter" }).expect(403);
    await door.request("PUT", `/people/${seated}/units`, { token, headers: ANY, body: { unitIds: [own] } }).expect(403);
    await patch(`/units/${room}`, { code: "CHAIR" }).expect(403);
    await patch(`/people/${titled}`, { costCenter: "4712" }).expect(200);
    await patch(`/units/${room}`, { name: "The seat" }).expect(200);

    // What a rule gives to a group on the unit goes with the unit's code.
    const group = (await door.request("POST", "/groups", { body: { displayName: "Auditors of all" } }).expect(201)).body.id;
    const auditor = await door.newPerson();
    await door.request("POST", `/groups/${group}/members`, { body: { add: { people: [auditor] } } }).expect(200);
    const shelf = await door.newUnit({ name: "Shelf", parentId: own, code: "SHELF" });
    await door.work((work) => createRule(work, { name: "all", group: "Auditors of all", role: "rollcall-administrator", unit: "SHELF" }));
    await patch(`/units/${shelf}`, { code: null }).expect(403);

    // Whoever stands above the unit loses it with a move, or a merge.
    const [from, to] = [await door.newUnit({ name: "From", parentId: top }), await door.newUnit({ name: "To", parentId: top })];
    const moved = await door.newUnit({ name: "Moved", parentId: from });
    const above = await door.newHolder({ role: "rollcall-administrator", unitId: from });
    for (const unit of [moved, to])
      await door.work((work) => giveGrant(work, { personId: keeper.personId, role: UNIT_ADMINISTRATOR, unit }));
    await patch(`/units/${moved}`, { parentId: to }).expect(403);
    await door.request("POST", "/previews", { token, body: { kind: "unitMove", unitId: moved, parentId: to } }).expect(403);
    await door.request("POST", `/units/${moved}/merge`, { token, headers: ANY, body: { into: to, ...REASON } }).expect(403);
    await door.request("DELETE", `/units/${moved}`, { token, headers: ANY, body: { moveTo: to, ...REASON } }).expect(403);
    expect([...(await hold()), await may(above.personId, "rollcall.people.delete", moved)]).toEqual([true, true, true]);
    await door.request("PATCH", `/units/${moved}`, { headers: ANY, body: { parentId: to } }).expect(200);
  });

  test("P5, A4: nobody is let in, renamed or made fit by who could not give what rules give them then", async () => {
    const rule = (name: string, condition: string) =>
      door.work((work) => createRule(work, { name, condition, role: "rollcall-administrator", unit: "HEAD" }));
    await rule("captains", 'person.title == "Captain"');
    await rule("mates", 'person.active && person.title == "Mate"');
    await rule("boatswains", '"rollcall-auditor" in person.roles && person.title == "Boatswain"');
    await rule("sailors", 'person.active && person.department == "Sea" && "OWN" in person.units || person.title == "Never"');
    await door.work((work) =>
      createRule(work, { name: "auditors", condition: 'person.title == "Boatswain"', role: "rollcall-auditor", unit: "HEAD" }),
    );
    const { token } = keeper;
    const post = (id: string, action: string, as: { token?: string } = {}) =>
      door.request("POST", `/people/${id}/${action}`, { ...as, body: REASON });
    for (const [title, shut] of [
      ["Captain", "deactivate"],
      ["Mate", "suspend"],
      ["Boatswain", "deactivate"],
    ] as const) {
      const body = { userName: `${title}@example.com`, title, unitIds: [own] };
      const { id } = (await door.request("POST", "/people", { body }).expect(201)).body;
      await post(id, shut).expect(200);
      await post(id, "activate", { token }).expect(403);
      await post(id, "temporary-password", { token }).expect(403);
      const emails = [{ value: "keeper@example.com", primary: true }];
      await door.request("PATCH", `/people/${id}`, { token, headers: ANY, body: { emails } }).expect(403);
      await post(id, "activate").expect(200);
    }
    const { id } = (await door.request("POST", "/people", { body: { userName: "away", unitIds: [own] } }).expect(201)).body;
    await post(id, "suspend").expect(200);
    await door.request("PATCH", `/people/${id}`, { token, headers: ANY, body: { title: "Mate" } }).expect(403);
    await door.request("PATCH", `/people/${id}`, { token, headers: ANY, body: { title: "Sailor" } }).expect(200);
    await post(id, "activate", { token }).expect(200);
  });

  test("A5: nobody prolongs what they hold for a time through a group that they are in", async () => {
    const at = (hours: number) => new Date(door.clock.now().getTime() + hours * 3_600_000).toISOString();
    const unitId = await door.newUnit({ name: "Season", parentId: top });
    const permissions = ["grants.give", "grants.view", "groups.view", "groups.edit", "people.view", "units.view"].map(
      (key) => `rollcall.${key}`,
    );
    await door.work((work) => createRole(work, { key: "seasonal", name: "Seasonal", permissions }));
    const personId = await door.newPerson();
    const token = await door.newToken({ scope: "api", personId });
    const group = async (displayName: string) => (await door.request("POST", "/groups", { body: { displayName } }).expect(201)).body.id;
    const [season, staff] = [await group("Season"), await group("Staff")];
    const joinGroup = (id: string, as?: string) =>
      door.request("POST", `/groups/${id}/members`, { body: { add: { people: [personId] } }, ...(as ? { token: as } : {}) });
    await joinGroup(season).expect(200);
    const give = (groupId: string, more: object, as?: string) =>
      door.request("POST", "/grants", { body: { groupId, role: "seasonal", unitId, ...REASON, ...more }, ...(as ? { token: as } : {}) });
    const { body: grant } = await give(season, { until: at(24) }).expect(201);
    await give(staff, {}).expect(201);
    const until = (end: string | null) =>
      door.request("PATCH", `/grants/${grant.id}`, { token, headers: ANY, body: { until: end, ...REASON } });
    await until(null).expect(403);
    await until(at(48)).expect(403);
    await give(season, {}, token).expect(403);
    await give(season, { until: at(25) }, token).expect(403);
    await give(season, { expiresAfterSeconds: 25 * 3600 }, token).expect(403);
    await give(season, { until: at(12) }, token).expect(201);
    await until(at(23)).expect(200);
    // Where somebody may change groups, joining one that holds it for good is the same.
    await door.work((work) => giveGrant(work, { personId, role: "seasonal", unit: top, until: new Date(at(23)) }));
    await joinGroup(staff, token).expect(403);
    await door.request("POST", `/groups/${staff}/members`, { token, body: { add: { people: [keeper.personId] } } }).expect(200);
    door.clock.forward(24 * 3_600_000);
    expect(await may(personId, "rollcall.grants.give", unitId)).toBe(false);
    door.clock.forward(-24 * 3_600_000);
  });

  test("P7: nobody makes themselves the manager of people whom they don't administer", async () => {
    const chief = await door.newPerson({ unitId: own });
    const below = await door.newPerson({ unitId: foreign, managerId: chief });
    const managed = (id: string, managerId: string, token = keeper.token) =>
      door.request("PATCH", `/people/${id}`, { token, headers: ANY, body: { managerId } });
    await managed(chief, keeper.personId).expect(403);
    const own2 = await door.newPerson({ unitId: own, managerId: keeper.personId });
    await managed(chief, own2).expect(403);
    await door.request("GET", `/people/${below}`, { token: keeper.token }).expect(404);
    await managed(await door.newPerson({ unitId: own }), keeper.personId).expect(200);
  });

  test("P4, P7: a file asks the rights that an edit asks: whom one would lead, and what says who one is", async () => {
    const headers = { "Content-Type": "text/csv" };
    const imported = async (lines: readonly string[]) => {
      const file = Buffer.from(`userName,manager,email,employeeNumber\n${lines.join("\n")}\n`);
      const { body } = await door.request("POST", "/people/imports", { token: keeper.token, headers, body: file }).expect(201);
      const rows = await door.request("GET", `/people/imports/${body.id}/rows`, { token: keeper.token }).expect(200);
      return rows.body.items.map(({ problems }: { problems: { field: string }[] }) => problems.map(({ field }) => field));
    };
    await join(keeper.personId, own);
    const me = await nameOf(keeper.personId);
    const chief = await door.newPerson({ unitId: own });
    await door.newPerson({ unitId: foreign, managerId: chief });
    const [mine, alone] = [await door.newPerson({ unitId: own }), await door.newPerson({ unitId: own })];
    const [boss, between, nobody] = [await nameOf(chief), await nameOf(mine), await nameOf(alone)];
    expect(await imported([`${boss},${me},,`, `${nobody},${me},,`])).toEqual([["manager"], []]);
    // By way of others of the same file, too.
    expect(await imported([`${between},${me},,`, `${boss},${between},,`])).toEqual([[], ["manager"]]);
    expect(await imported([`${me},,x@example.com,7`])).toEqual([["email", "employeeNumber"]]);
    expect(await imported([`${nobody},,x@example.com,7`])).toEqual([[]]);
  });

  test("A5: the last grant that steers the organisation is not given an end", async () => {
    const { rows } = await door.db.pool.query<{ grant_id: string }>(
      "select grant_id from grants g join roles r on r.id = g.role_id where r.key = 'rollcall-administrator' and g.unit_id = $1 and g.recorded_to is null",
      [top],
    );
    const until = new Date(door.clock.now().getTime() + 60_000).toISOString();
    await door.request("PATCH", `/grants/${rows[0]?.grant_id}`, { headers: ANY, body: { until, ...REASON } }).expect(409);
  });

  test("G4: who is believed to say who is whom is decided by who may give everything; nobody ties an account to somebody who may do more", async () => {
    const administrator = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    const operator = await door.newHolder({ role: "rollcall-operator", unitId: top });
    const narrowed = await door.newToken({ personId: administrator.personId, permissions: ["rollcall.connections.edit"] });
    const service = await door.newToken({ permissions: ["rollcall.connections.edit", "rollcall.roles.edit"] });
    const settings = { issuer: "https://idp.test", clientId: "rollcall", clientSecret: "hush" };
    const mapping = { user: { attributes: { userName: "account.sub" } } };
    const body = { name: "sso", connector: "oidc", settings, mapping, policy: { signIn: { create: false } } };
    for (const token of [operator.token, narrowed, service]) await door.request("POST", "/connections", { token, body }).expect(403);
    await door.request("POST", "/connections", { token: administrator.token, body }).expect(201);
    const change = { policy: { signIn: { verifiedDomains: ["corp.test"] } } };
    await door.request("PATCH", "/connections/sso", { token: operator.token, headers: ANY, body: change }).expect(403);
    await door.request("POST", "/connections/sso/disable", { token: operator.token }).expect(200);
    await door.request("POST", "/connections/sso/enable", { token: operator.token }).expect(403);
    await door.request("POST", "/connections/sso/enable", { token: administrator.token }).expect(200);

    await door.work(async (work) => {
      const connection = await loadConnection(work.sql, keyRing, "sso");
      await syncFederated(work, {
        connection,
        keyRing,
        subject: { nativeId: "mallory", attributes: { sub: "mallory" }, emailVerified: false },
      });
    });
    const { body: found } = await door.request("GET", "/accounts?connection=sso", { token: operator.token }).expect(200);
    const link = (token: string, personId: string) =>
      door.request("POST", `/accounts/${found.items[0].id}/link`, { token, body: { personId } });
    await link(operator.token, administrator.personId).expect(403);
    await link(operator.token, operator.personId).expect(403);
    await link(operator.token, keeper.personId).expect(403);
    await link(operator.token, await door.newPerson()).expect(200);
  });

  test("G4, P4: by what accounts are matched nobody says who somebody is who may do more in Rollcall", async () => {
    const chief = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    await join(chief.personId, own);
    const group = (await door.request("POST", "/groups", { body: { displayName: "Chiefs" } }).expect(201)).body.id;
    const second = await door.newPerson({ unitId: own });
    await door.request("POST", `/groups/${group}/members`, { body: { add: { people: [second] } } }).expect(200);
    await door.work((work) => giveGrant(work, { groupId: group, role: "rollcall-administrator", unit: top }));
    const plain = await door.newPerson({ unitId: own });
    await door.work((work) => giveGrant(work, { personId: plain, role: "register-admin", unit: top }));
    const patch = (id: string, body: object, token = keeper.token) => door.request("PATCH", `/people/${id}`, { token, headers: ANY, body });
    const headers = { "Content-Type": "text/csv" };
    for (const [index, id] of [chief.personId, second].entries()) {
      for (const body of [{ employeeNumber: "4712" }, { externalId: "mine" }, { emails: [{ value: "mine@example.org", primary: true }] }])
        expect((await patch(id, body).expect(403)).body).toMatchObject({ field: "person" });
      await patch(id, { nickName: "Chief" }).expect(200);
      await patch(id, { employeeNumber: `chief-${index}` }, door.token).expect(200);
      for (const row of [`mine@example.org,`, `,4712`]) {
        const file = Buffer.from(`userName,email,employeeNumber\n${await nameOf(id)},${row}\n`);
        const { body } = await door.request("POST", "/people/imports", { token: keeper.token, headers, body: file }).expect(201);
        expect(body.counts).toMatchObject({ update: 0, errors: 1 });
      }
    }
    await patch(plain, { employeeNumber: "4712", emails: [{ value: "plain@example.org", primary: true }] }).expect(200);
  });
});
