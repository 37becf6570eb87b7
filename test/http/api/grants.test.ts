import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { checkAccess } from "../../../src/access/effective.ts";
import { notHeld } from "../../../src/access/giving.ts";
import { giveGrant } from "../../../src/access/grants.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
let sales: string;
let north: string;
let factory: string;
let administrator: { personId: string; token: string };
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization" });
  sales = await door.newUnit({ name: "Sales", parentId: top });
  north = await door.newUnit({ name: "North", parentId: sales });
  factory = await door.newUnit({ name: "Factory", parentId: top });
  administrator = await door.newHolder({ role: "rollcall-administrator", unitId: top });
});
afterAll(() => door?.close());

const DAY = 86_400_000;
const at = (ms: number) => new Date(door.clock.now().getTime() + ms).toISOString();
const may = (personId: string, unitId: string, permission = "rollcall.access.check") =>
  checkAccess(door.db.pool, { personId, unitId, permission, at: door.clock.now() });
const ANY = { "If-Match": "*" };

describe("grants by API", () => {
  test("A4: a role given to a person on a unit covers that unit and all below it, never above or beside", async () => {
    const personId = await door.newPerson({ unitId: sales });
    const { body } = await door
      .request("POST", "/grants", {
        token: administrator.token,
        body: { personId, role: "rollcall-access-checker", unitId: sales, reason: "kiosk" },
      })
      .expect(201);
    expect(body).toMatchObject({ person: { id: personId }, unit: { id: sales }, source: "manual", state: "current", suspended: false });
    expect(body.grantedBy).toBe(`person:${administrator.personId}`);
    expect(await Promise.all([sales, north, top, factory].map((unit) => may(personId, unit)))).toEqual([true, true, false, false]);
    const { rows } = await door.db.pool.query("select reason, actor from audit_events where name = 'grant.given' and subject_id = $1", [
      body.id,
    ]);
    expect(rows).toEqual([{ reason: "kiosk", actor: `person:${administrator.personId}` }]);
  });

  test("A4: given to a group, each member has it there", async () => {
    const personId = await door.newPerson();
    const group = "11111111-1111-4111-8111-111111111111";
    const now = door.clock.now();
    await door.db.pool.query("insert into groups (id, display_name, created_at, modified_at) values ($1, 'Kiosks', $2, $2)", [group, now]);
    await door.db.pool.query("insert into memberships (group_id, person_id, valid_from, recorded_from) values ($1, $2, $3, $3)", [
      group,
      personId,
      now,
    ]);
    await door
      .request("POST", "/grants", { body: { groupId: group, role: "rollcall-access-checker", unitId: north, reason: "kiosk" } })
      .expect(201);
    expect([await may(personId, north), await may(personId, sales)]).toEqual([true, false]);
    const { body } = await door.request("GET", `/grants?group=${group}`);
    expect(body.items).toMatchObject([{ group: { displayName: "Kiosks" }, person: null }]);
  });

  test("A5: it begins and ends at its time though no job runs; extending and shortening keep what was believed before", async () => {
    const personId = await door.newPerson({ unitId: sales });
    const body = { personId, role: "rollcall-access-checker", unitId: sales, from: at(DAY), until: at(3 * DAY), reason: "season" };
    const { body: given, headers } = await door.request("POST", "/grants", { body }).expect(201);
    expect([given.state, await may(personId, sales)]).toEqual(["future", false]);
    const later = await door
      .request("PATCH", `/grants/${given.id}`, {
        body: { until: at(5 * DAY), reason: "longer" },
        headers: { "If-Match": headers["etag"] ?? "" },
      })
      .expect(200);
    expect(later.body).toMatchObject({ id: given.id, reason: "longer", from: given.from });
    await door
      .request("PATCH", `/grants/${given.id}`, { body: { until: null, reason: "stale" }, headers: { "If-Match": headers["etag"] ?? "" } })
      .expect(412);
    await door.request("PATCH", `/grants/${given.id}`, { body: { until: at(-DAY), reason: "past" }, headers: ANY }).expect(422);
    const seen: boolean[] = [];
    for (const days of [1, 3, 1]) {
      door.clock.forward(days * DAY);
      seen.push(await may(personId, sales));
    }
    expect(seen).toEqual([true, true, false]);
    expect((await door.request("GET", `/grants/${given.id}`)).body.state).toBe("past");
    await door.request("PATCH", `/grants/${given.id}`, { body: { until: null, reason: "again" }, headers: ANY }).expect(409);
    door.clock.forward(-5 * DAY);
    const { rows } = await door.db.pool.query<{ open: boolean }>(
      "select recorded_to is null as open from grants where grant_id = $1 order by id",
      [given.id],
    );
    expect(rows).toEqual([{ open: false }, { open: true }]);
  });

  test("A4: grants of the same role on the same unit may overlap: access is their union", async () => {
    const personId = await door.newPerson({ unitId: sales });
    const spans = [
      [0, 2],
      [1, 4],
      [6, 7],
    ] as const;
    for (const [from, until] of spans)
      await door
        .request("POST", "/grants", {
          body: { personId, role: "rollcall-access-checker", unitId: sales, from: at(from * DAY), until: at(until * DAY), reason: "shift" },
        })
        .expect(201);
    const { body } = await door.request("GET", `/grants?person=${personId}`);
    expect(body.items).toHaveLength(3);
    const seen: boolean[] = [];
    for (let day = 0; day < 8; day += 1) {
      door.clock.forward(DAY / 2);
      seen.push(await may(personId, sales));
      door.clock.forward(DAY / 2);
    }
    door.clock.forward(-8 * DAY);
    expect(seen).toEqual([true, true, true, true, false, false, true, false]);
  });

  test("A4, A6: revoked, it gives nothing from then on; suspended with the person, it is shown as such", async () => {
    const personId = await door.newPerson({ unitId: sales });
    const body = { personId, role: "rollcall-access-checker", unitId: sales, reason: "kiosk" };
    const { body: given } = await door.request("POST", "/grants", { body }).expect(201);
    await door.db.pool.query("update people set state = 'suspended' where id = $1", [personId]);
    expect((await door.request("GET", `/grants/${given.id}`)).body.suspended).toBe(true);
    await door.db.pool.query("update people set state = 'active' where id = $1", [personId]);
    await door.request("POST", `/grants/${given.id}/revoke`, { body: { reason: "over" } }).expect(204);
    expect(await may(personId, sales)).toBe(false);
    expect((await door.request("GET", `/grants/${given.id}`)).body.state).toBe("past");
    await door.request("POST", `/grants/${given.id}/revoke`, { body: { reason: "twice" } }).expect(404);
  });

  test("A4: a list is narrowed to one's units, one's team and oneself, and pages go on where the last one ended", async () => {
    const manager = await door.newPerson({ unitId: factory });
    const report = await door.newPerson({ unitId: factory, managerId: manager });
    const clerk = await door.newPerson({ unitId: north });
    const give = (personId: string, unitId: string) =>
      door.work((work) => giveGrant(work, { personId, role: "rollcall-access-checker", unit: unitId }));
    const [ofReport, ofClerk, ofManager] = [await give(report, factory), await give(clerk, north), await give(manager, factory)];
    const idsOf = async (token: string, query = "") =>
      (await door.request("GET", `/grants${query}`, { token }).expect(200)).body.items.map(({ id }: { id: string }) => id) as string[];
    expect(await idsOf(await door.newToken({ personId: manager }))).toEqual([ofManager, ofReport]);
    expect(await idsOf(await door.newToken({ personId: clerk }))).toEqual([ofClerk]);
    const ofSales = await door.newHolder({ role: "rollcall-unit-administrator", unitId: sales });
    const theirs = await idsOf(ofSales.token);
    expect(theirs).toContain(ofClerk);
    expect(theirs).not.toContain(ofReport);
    await door.request("GET", `/grants/${ofReport}`, { token: ofSales.token }).expect(404);
    const paged: string[] = [];
    for (let next: string | null = ""; next !== null;) {
      const { body } = await door.request("GET", `/grants?limit=2${next === "" ? "" : `&cursor=${next}`}`, { token: ofSales.token });
      paged.push(...body.items.map(({ id }: { id: string }) => id));
      next = body.next;
    }
    expect(paged).toEqual(theirs);
    expect(await idsOf(administrator.token, `?unit=${sales}&below=false&state=current&role=rollcall-unit-administrator`)).toHaveLength(1);
  });
});

describe("no escalation", () => {
  test("A4: a unit administrator gives what they hold themselves, there and below, and nothing else", async () => {
    const own = await door.newHolder({ role: "rollcall-unit-administrator", unitId: sales });
    const clerk = await door.newPerson({ unitId: north });
    const give = (role: string, unitId: string, personId = clerk) =>
      door.request("POST", "/grants", { token: own.token, body: { personId, role, unitId, reason: "help" } });
    await give("rollcall-access-checker", north).expect(201);
    const refused = await give("rollcall-administrator", north).expect(403);
    expect(refused.body.detail).toContain("rollcall.attributes.edit");
    await give("register-admin", north).expect(403);
    await give("rollcall-access-checker", factory).expect(404);
    await give("rollcall-access-checker", sales, own.personId).expect(403);
    await give("rollcall-access-checker", sales, await door.newPerson({ unitId: factory })).expect(404);
    await door.work((work) => giveGrant(work, { personId: own.personId, role: "register-admin", unit: north }));
    await give("register-admin", north).expect(201);
    await give("register-admin", sales).expect(403);
  });

  test("A4: nobody takes or extends what they could not give", async () => {
    const own = await door.newHolder({ role: "rollcall-unit-administrator", unitId: sales });
    const clerk = await door.newPerson({ unitId: north });
    const strong = await door.work((work) => giveGrant(work, { personId: clerk, role: "register-admin", unit: north }));
    await door.request("POST", `/grants/${strong}/revoke`, { token: own.token, body: { reason: "no" } }).expect(403);
    await door.request("PATCH", `/grants/${strong}`, { token: own.token, body: { until: null, reason: "no" }, headers: ANY }).expect(403);
    const { body } = await door.request("GET", `/grants?person=${own.personId}`, { token: own.token });
    await door
      .request("PATCH", `/grants/${body.items[0].id}`, { token: own.token, body: { until: null, reason: "mine" }, headers: ANY })
      .expect(403);
  });

  test("A4: a narrowed token gives no more than it is narrowed to", async () => {
    const clerk = await door.newPerson({ unitId: north });
    const body = { personId: clerk, role: "rollcall-access-checker", unitId: north, reason: "kiosk" };
    const permissions = ["rollcall.grants.give", "rollcall.people.view"] as const;
    const without = await door.newToken({ personId: administrator.personId, permissions: [...permissions, "rollcall.units.view"] });
    await door.request("POST", "/grants", { token: without, body }).expect(403);
    const service = await door.newToken({ permissions: [...permissions, "rollcall.access.check"], unitIds: [north] });
    await door.request("POST", "/grants", { token: service, body }).expect(201);
    await door.request("POST", "/grants", { token: service, body: { ...body, role: "register-user" } }).expect(403);
  });

  test("A4: a group that one is in is given nothing by oneself that one doesn't hold", async () => {
    const group = "22222222-2222-4222-8222-222222222222";
    const now = door.clock.now();
    await door.db.pool.query("insert into groups (id, display_name, created_at, modified_at) values ($1, 'Everybody', $2, $2)", [
      group,
      now,
    ]);
    await door.db.pool.query("insert into memberships (group_id, person_id, valid_from, recorded_from) values ($1, $2, $3, $3)", [
      group,
      administrator.personId,
      now,
    ]);
    const give = (role: string) =>
      door.request("POST", "/grants", { token: administrator.token, body: { groupId: group, role, unitId: north, reason: "all" } });
    await give("register-admin").expect(403);
    await give("rollcall-access-checker").expect(201);
  });

  test("A4: the last administrator's grant can't be taken, by themselves either", async () => {
    const { body } = await door.request("GET", `/grants?person=${administrator.personId}&role=rollcall-administrator`);
    const revoke = () =>
      door.request("POST", `/grants/${body.items[0].id}/revoke`, { token: administrator.token, body: { reason: "leaving" } });
    const { body: problem } = await revoke().expect(409);
    expect(problem.detail).toContain("without an administrator");
    const other = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    await revoke().expect(204);
    await door.request("GET", "/grants", { token: other.token }).expect(200);
  });

  test("the last administrator whose rights don't end stays so, though others are administrators for a time", async () => {
    const steering = async () => {
      const { rows } = await door.db.pool.query<{ person_id: string; grant_id: string }>(
        "select g.person_id, g.grant_id from grants g join roles r on r.id = g.role_id where r.key = 'rollcall-administrator' and g.unit_id = $1 and g.recorded_to is null and g.valid_to is null",
        [top],
      );
      return rows;
    };
    const [endless, ...others] = await steering();
    for (const { grant_id: id } of others) await door.request("POST", `/grants/${id}/revoke`, { body: { reason: "too many" } }).expect(204);
    const [own, personId] = [`/grants/${endless?.grant_id}`, endless?.person_id];
    const forATime = await door.newPerson();
    const give = (more: object = {}) =>
      door.request("POST", "/grants", {
        body: { personId: forATime, role: "rollcall-administrator", unitId: top, reason: "stands in", ...more },
      });
    await give({ until: at(30 * DAY) }).expect(201);
    const attempts = () => [
      door.request("PATCH", own, { headers: ANY, body: { until: at(10 * DAY), reason: "shorter" } }),
      door.request("PATCH", own, { headers: ANY, body: { until: at(90 * DAY), reason: "shorter" } }),
      door.request("POST", `${own}/revoke`, { body: { reason: "leaving" } }),
      door.request("POST", `/people/${personId}/expire`, { body: { until: at(10 * DAY), reason: "leaving" } }),
      door.request("POST", `/people/${personId}/deactivate`, { body: { reason: "leaving" } }),
    ];
    for (const attempt of attempts()) expect((await attempt.expect(409)).body.detail).toContain("make another one first");
    await door.request("POST", `/people/${personId}/suspend`, { body: { reason: "a lost laptop" } }).expect(200);
    await door.request("POST", `/people/${personId}/activate`, { body: { reason: "found" } }).expect(200);
    await give().expect(201);
    await door.request("PATCH", own, { headers: ANY, body: { until: at(10 * DAY), reason: "shorter" } }).expect(200);
  });

  test("A4: whatever somebody holds, what they may give holds nothing more", () => {
    const keys = fc.uniqueArray(fc.constantFrom("a.b.c", "a.b.d", "a.e.c", "f.b.c", "f.g.h"));
    fc.assert(
      fc.property(keys, keys, (role, own) => {
        const missing = notHeld(role, { permissions: new Set(own), everything: false });
        expect(role.every((key) => own.includes(key) || missing.includes(key))).toBe(true);
        expect(own.some((key) => missing.includes(key))).toBe(false);
        expect(notHeld(role, { permissions: new Set(own), everything: true })).toEqual([]);
      }),
    );
  });
});
