import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization" });
});
afterAll(() => door?.close());

const unique = (name: string) => `${name}-${randomUUID().slice(0, 8)}`;
const any = { "If-Match": "*" };

describe("people by the administration API", () => {
  test("P1: a local person has every field, several locations and departments, and reads back as written", async () => {
    const sales = await door.newUnit({ name: "Sales", type: "department", parentId: top });
    const support = await door.newUnit({ name: "Support", type: "department", parentId: top });
    const oslo = await door.newUnit({ name: "Oslo", type: "location", parentId: top });
    const bergen = await door.newUnit({ name: "Bergen", type: "location", parentId: top });
    const manager = await door.newPerson({ unitId: sales });
    const userName = unique("ada");
    const body = {
      userName,
      name: { givenName: "Ada", familyName: "Byron" },
      emails: [
        { value: `${userName}@example.com`, type: "work", primary: true },
        { value: "ada@home.example", type: "home" },
      ],
      phoneNumbers: [{ value: "+45 20 30 40 50", type: "mobile", primary: true }],
      addresses: [{ locality: "Oslo", country: "NO", type: "work" }],
      title: "Engineer",
      preferredLanguage: "nb",
      timezone: "Europe/Oslo",
      employeeNumber: "4711",
      department: "Sales and support",
      managerId: manager,
      unitIds: [sales, support, oslo, bergen],
      reason: "starts on Monday",
    };
    const { body: made, headers } = await door.request("POST", "/people", { body }).expect(201);
    expect(headers["location"]).toBe(`/api/v1/people/${made.id}`);
    const { body: read } = await door.request("GET", `/people/${made.id}`).expect(200);
    const { unitIds, managerId, reason, ...profile } = body;
    expect(read).toMatchObject({
      ...profile,
      displayName: "Ada Byron",
      email: `${userName}@example.com`,
      state: "active",
      active: true,
      origin: null,
      mastery: {},
      manager: { id: managerId },
    });
    expect(read.units.map(({ id }: { id: string }) => id).sort()).toEqual([...unitIds].sort());
    expect(read.units.filter(({ type }: { type: string }) => type === "location")).toHaveLength(2);
    const { rows } = await door.db.pool.query("select reason from audit_events where name = 'person.joined' and subject_id = $1", [
      made.id,
    ]);
    expect(rows).toEqual([{ reason }]);
  });

  test("P1: login and address are one person's, also when two ask at the same time; a login can't be changed once set", async () => {
    const userName = unique("grace");
    const email = `${userName}@example.com`;
    const create = (name: string, address: string) =>
      door.request("POST", "/people", { body: { userName: name, emails: [{ value: address }] } });
    const race = await Promise.all([
      create(userName, email),
      create(userName.toUpperCase(), `other-${email}`),
      create(unique("x"), email.toUpperCase()),
    ]);
    const statuses = race.map(({ status }) => status).sort();
    expect(statuses.filter((status) => status === 409).length).toBeGreaterThan(0);
    const { rows } = await door.db.pool.query<{ names: number; emails: number }>(
      "select count(*) filter (where lower(user_name::text) = lower($1))::int as names, count(*) filter (where lower(email::text) = lower($2))::int as emails from people",
      [userName, email],
    );
    expect(rows[0]).toEqual({ names: 1, emails: 1 });
    const second = await create(userName, "new@example.com").expect(409);
    expect(second.body).toMatchObject({ code: "conflict", field: "userName" });
    const [made] = race.filter(({ status }) => status === 201);
    const at = `/people/${made?.body.id}`;
    const change = await door.request("PATCH", at, { headers: any, body: { userName: unique("renamed") } }).expect(422);
    expect(change.body).toMatchObject({ field: "userName" });
    await door.request("PATCH", at, { headers: any, body: { userName: made?.body.userName, title: "Admiral" } }).expect(200);
  });

  test("P1: a login written in another way is the same login, and what nobody sees is in none", async () => {
    const userName = unique("zoë").normalize("NFD");
    const { body } = await door.request("POST", "/people", { body: { userName } }).expect(201);
    expect(body.userName).toBe(userName.normalize("NFC"));
    await door.request("POST", "/people", { body: { userName: userName.normalize("NFC") } }).expect(409);
    for (const unseen of ["\u200b", "\u202e", "\ufeff", "\u00ad"]) {
      const refused = await door.request("POST", "/people", { body: { userName: `ada${unseen}lovelace` } }).expect(422);
      expect(refused.body).toMatchObject({ field: "userName" });
    }
  });

  test("a body in another encoding than UTF-8 is refused, and no name loses its letters", async () => {
    const latin1 = Buffer.from(`{"userName":"${unique("latin1")}","displayName":"Bjørn"}`, "latin1");
    const headers = { "Content-Type": "application/json", Authorization: `Bearer ${door.token}` };
    const answer = await fetch(`${door.url}/api/v1/people`, { method: "POST", headers, body: latin1 });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ field: "body", detail: "The body is not UTF-8, which JSON is written in." });
  });

  test("hostile input is refused field by field", async () => {
    const { body } = await door
      .request("POST", "/people", {
        body: {
          userName: "a b",
          emails: [{ value: "no address" }],
          phoneNumbers: [{ value: "call me" }],
          preferredLanguage: "not a language!",
          timezone: "Mars/Olympus",
          profileUrl: "javascript:alert(1)",
          title: "x\u0000y",
          admin: true,
        },
      })
      .expect(422);
    const fields = body.errors.map(({ field }: { field: string }) => field).sort();
    expect(fields).toEqual([
      "admin",
      "emails.0.value",
      "phoneNumbers.0.value",
      "preferredLanguage",
      "profileUrl",
      "timezone",
      "title",
      "userName",
    ]);
    const two = {
      userName: unique("two"),
      emails: [
        { value: "a@b.example", primary: true },
        { value: "c@d.example", primary: true },
      ],
    };
    await door.request("POST", "/people", { body: two }).expect(422);
  });

  test("any tag of a list in If-Match may be the one that is there (RFC 9110 section 13.1.1)", async () => {
    const { body: made } = await door.request("POST", "/people", { body: { userName: unique("lee") } }).expect(201);
    const at = `/people/${made.id}`;
    const etag = String((await door.request("GET", at).expect(200)).headers["etag"]);
    const change = (listed: string, title: string) => door.request("PATCH", at, { headers: { "If-Match": listed }, body: { title } });
    await change(`"other", W/${etag}`, "Head").expect(200);
    await change(`"other", ${etag}`, "Lost").expect(412);
    await change(`${etag}, "${made.version + 1}"`, "Clerk").expect(200);
    await change('"other", "another"', "Lost").expect(412);
  });

  test("a merge patch changes what it names, empties with null, and is not lost between two editors", async () => {
    const { body: made } = await door
      .request("POST", "/people", { body: { userName: unique("kay"), title: "Clerk", nickName: "K" } })
      .expect(201);
    const at = `/people/${made.id}`;
    const { headers } = await door.request("GET", at).expect(200);
    const etag = String(headers["etag"]);
    const changed = await door.request("PATCH", at, { headers: { "If-Match": etag }, body: { title: "Head", nickName: null } }).expect(200);
    expect(changed.body).toMatchObject({ title: "Head", nickName: null, version: made.version + 1 });
    await door.request("PATCH", at, { headers: { "If-Match": etag }, body: { title: "Lost" } }).expect(412);
    const same = await door.request("PATCH", at, { headers: any, body: { title: "Head" } }).expect(200);
    expect(same.body.version).toBe(changed.body.version);
    const { rows } = await door.db.pool.query<{ data: unknown; sealed: string }>(
      "select data, sealed from audit_events where name = 'person.updated' and subject_id = $1",
      [made.id],
    );
    expect(rows).toEqual([{ data: { changed: ["nickName", "title"] }, sealed: expect.any(String) }]);
  });

  test("nobody reports to themselves, through others either", async () => {
    const boss = await door.newPerson();
    const middle = await door.newPerson({ managerId: boss });
    const { body } = await door.request("PATCH", `/people/${boss}`, { headers: any, body: { managerId: middle } }).expect(422);
    expect(body).toMatchObject({ field: "managerId" });
    const unknown = await door.request("PATCH", `/people/${boss}`, { headers: any, body: { managerId: randomUUID() } }).expect(404);
    expect(unknown.body).toMatchObject({ field: "managerId" });
    await door.request("PATCH", `/people/${middle}`, { headers: any, body: { managerId: null } }).expect(200);
    const { body: team } = await door.request("GET", `/people/${boss}/team`).expect(200);
    expect(team.items).toEqual([]);
  });

  test("P7, invariant 7: an administrator adds, sees and changes people of the own units only, and moves them between those only", async () => {
    const own = await door.newUnit({ name: unique("own"), parentId: top });
    const below = await door.newUnit({ name: unique("below"), parentId: own });
    const beside = await door.newUnit({ name: unique("beside"), parentId: top });
    const { token } = await door.newHolder({ role: "rollcall-unit-administrator", unitId: own });
    const { body: made } = await door.request("POST", "/people", { token, body: { userName: unique("in"), unitIds: [below] } }).expect(201);
    await door.request("POST", "/people", { token, body: { userName: unique("out"), unitIds: [beside] } }).expect(404);
    await door.request("POST", "/people", { token, body: { userName: unique("none") } }).expect(403);
    const stranger = await door.newPerson({ unitId: beside });
    await door.request("GET", `/people/${stranger}`, { token }).expect(404);
    await door.request("PATCH", `/people/${stranger}`, { token, headers: any, body: { title: "Mine" } }).expect(404);
    const unseen = await door.request("PATCH", `/people/${made.id}`, { token, headers: any, body: { managerId: stranger } }).expect(404);
    expect(unseen.body).toMatchObject({ field: "managerId", detail: `managerId: there is no person ${stranger}.` });
    const units = `/people/${made.id}/units`;
    await door.request("PUT", units, { token, headers: any, body: { unitIds: [below, beside] } }).expect(404);
    const { body: moved } = await door.request("PUT", units, { token, headers: any, body: { unitIds: [own] } }).expect(200);
    expect(moved.units.map(({ id }: { id: string }) => id)).toEqual([own]);
    // Somebody of two units, one of them not ours, can't be taken out of the other.
    const both = await door.newPerson({ unitId: below });
    await door.request("PUT", `/people/${both}/units`, { headers: any, body: { unitIds: [below, beside] } }).expect(200);
    await door.request("PUT", `/people/${both}/units`, { token, headers: any, body: { unitIds: [below] } }).expect(404);
    const { body: list } = await door.request("GET", "/people?sort=name", { token }).expect(200);
    const listed = list.items.map(({ id }: { id: string }) => id);
    expect(listed).toEqual(expect.arrayContaining([made.id, both]));
    expect(listed).not.toContain(stranger);
  });

  test("P7: people edit their own contact details and language, and nothing that says who they are", async () => {
    const me = await door.newPerson({ unitId: top, attributes: { emails: [{ value: `${unique("me")}@example.com`, primary: true }] } });
    const token = await door.newToken({ personId: me });
    const at = `/people/${me}`;
    const { body: own } = await door.request("GET", at, { token }).expect(200);
    const emails = [...own.emails, { value: "me@home.example", type: "home" }];
    const { body } = await door
      .request("PATCH", at, { token, headers: any, body: { phoneNumbers: [{ value: "555-0100" }], preferredLanguage: "da", emails } })
      .expect(200);
    expect(body).toMatchObject({ preferredLanguage: "da", phoneNumbers: [{ value: "555-0100" }], emails });
    for (const change of [
      { title: "Director" },
      { employeeNumber: "1" },
      { managerId: me },
      { emails: [{ value: "somebody@else.example" }] },
    ])
      await door.request("PATCH", at, { token, headers: any, body: change }).expect(({ status }) => expect([403, 422]).toContain(status));
    await door
      .request("PUT", `${at}/units`, { token, headers: any, body: { unitIds: [] } })
      .expect(({ status }) => expect([403, 404]).toContain(status));
    const other = await door.newPerson({ unitId: top });
    await door.request("GET", `/people/${other}`, { token }).expect(404);
    const { body: list } = await door.request("GET", "/people", { token }).expect(200);
    expect(list.items.map(({ id }: { id: string }) => id)).toEqual([me]);
  });

  test("P7: what a rule asks for is left to administrators, or people would give themselves access", async () => {
    const me = await door.newPerson({ unitId: top });
    const token = await door.newToken({ personId: me });
    const change = () => door.request("PATCH", `/people/${me}`, { token, headers: any, body: { nickName: unique("boss") } });
    await change().expect(200);
    await door.db.pool.query(
      `insert into rules (id, name, condition, role_id, unit_code, created_at, modified_at)
       select gen_random_uuid(), 'nick', 'person.profile.nickName == "boss"', id, 'none', now(), now() from roles limit 1`,
    );
    await change().expect(403);
    await door.db.pool.query("update rules set deleted_at = now() where name = 'nick'");
    await change().expect(200);
  });

  test("P7: managers see and manage who reports to them, directly and through others, and nobody else", async () => {
    const manager = await door.newPerson({ unitId: top });
    const direct = await door.newPerson({ managerId: manager });
    const indirect = await door.newPerson({ managerId: direct });
    const other = await door.newPerson({ unitId: top });
    const token = await door.newToken({ personId: manager });
    const { body: team } = await door.request("GET", `/people/${manager}/team`, { token }).expect(200);
    expect(team.items.map(({ id, level }: { id: string; level: number }) => [id, level])).toEqual([
      [direct, 1],
      [indirect, 2],
    ]);
    const { body: nearest } = await door.request("GET", `/people/${manager}/team?direct=true`, { token }).expect(200);
    expect(nearest.items).toHaveLength(1);
    await door
      .request("PATCH", `/people/${indirect}`, { token, headers: any, body: { title: "Lead", phoneNumbers: [{ value: "555-0101" }] } })
      .expect(200);
    await door.request("PATCH", `/people/${indirect}`, { token, headers: any, body: { employeeNumber: "9" } }).expect(403);
    await door.request("POST", `/people/${indirect}/suspend`, { token, body: { reason: "x" } }).expect(403);
    await door.request("GET", `/people/${other}`, { token }).expect(404);
    const { body: list } = await door.request("GET", "/people?count=true", { token }).expect(200);
    expect(list.items.map(({ id }: { id: string }) => id).sort()).toEqual([manager, direct, indirect].sort());
    expect(list.total).toBe(3);
  });
});
