import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import supertest from "supertest";
import { people, startMachinery, type HrRow, type Machinery } from "./machinery.ts";

const ANY = { "If-Match": "*" };
const CSV = { "Content-Type": "text/csv" };

let world: Machinery;
let own: string;
let delegate: string;
let head: string;
const rows: HrRow[] = people(3);

beforeAll(async () => {
  world = await startMachinery();
  const { door } = world;
  const top = await door.newUnit({ name: "Company", type: "organization" });
  own = await door.newUnit({ name: "Own", parentId: top, code: "OWN" });
  delegate = (await door.newHolder({ role: "rollcall-unit-administrator", unitId: own })).token;
  head = (await door.newHolder({ role: "rollcall-administrator", unitId: top })).token;
  world.write(rows);
  await door.request("POST", "/connections", { body: world.hr("hr") }).expect(201);
  await world.sync("hr");
});
afterAll(() => world?.close());

/** The file brings somebody of this number; what came of the account. */
async function comes(number: string, login: string) {
  rows.push({ number, login });
  world.write(rows);
  expect(await world.sync("hr")).toMatchObject({ state: "done" });
  const { body } = await world.door.request("GET", "/accounts?connection=hr&limit=200").expect(200);
  return body.items.find((account: { nativeId: string }) => account.nativeId === number);
}

async function made(body: object, token: string): Promise<string> {
  return (await world.door.request("POST", "/people", { token, body: { unitIds: [own], ...body } }).expect(201)).body.id;
}

async function imported(lines: string, token: string): Promise<void> {
  const { door } = world;
  const { body } = await door.request("POST", "/people/imports", { token, headers: CSV, body: Buffer.from(lines) }).expect(201);
  await door.request("POST", `/people/imports/${body.id}/apply`, { token, body: { hash: body.hash, reason: "tried" } }).expect(200);
}

describe("M2: nobody waits in the place of somebody who is still to come", () => {
  test("who was made by a unit's administrator is linked by a human alone, and is known from then on", async () => {
    const { door } = world;
    const id = await made({ userName: "waiting", employeeNumber: "2000" }, delegate);
    const account = await comes("2000", "expected");
    expect(account).toMatchObject({ situation: "disputed", personId: null, candidates: [{ id, userName: "waiting" }] });
    await door.request("POST", `/accounts/${account.id}/link`, { token: delegate, body: { personId: id } }).expect(403);
    await door.request("POST", `/accounts/${account.id}/link`, { token: head, body: { personId: id } }).expect(200);
    await world.sync("hr", { mode: "full" });
    expect((await door.request("GET", `/accounts/${account.id}`).expect(200)).body).toMatchObject({ situation: "linked", personId: id });
    const { rows: left } = await door.db.pool.query("select unvouched from people where id = $1", [id]);
    expect(left).toEqual([{ unvouched: [] }]);
  });

  test("who was made by who administers everybody is linked at once", async () => {
    const id = await made({ userName: "welcome", employeeNumber: "2001" }, head);
    expect(await comes("2001", "welcome")).toMatchObject({ situation: "linked", personId: id });
  });

  test("an edit counts as much, until somebody who administers everybody says otherwise", async () => {
    const { door } = world;
    const edit = (id: string, token: string, employeeNumber: string) =>
      door.request("PATCH", `/people/${id}`, { token, headers: ANY, body: { employeeNumber } }).expect(200);
    const [first, second] = [
      await made({ userName: "first", employeeNumber: "1" }, head),
      await made({ userName: "second", employeeNumber: "2" }, head),
    ];
    await edit(first, delegate, "2002");
    await edit(second, delegate, "3");
    await edit(second, head, "2003");
    expect(await comes("2002", "of-first")).toMatchObject({ situation: "disputed", candidates: [{ id: first }] });
    expect(await comes("2003", "of-second")).toMatchObject({ situation: "linked", personId: second });
  });

  test("an import is one's own word, for each who comes by it", async () => {
    await imported("userName,employeeNumber,units\nby-file,2005,OWN\nby-edit,,OWN\n", delegate);
    await imported("userName,employeeNumber,units\nwelcome-too,2006,OWN\n", head);
    expect(await comes("2005", "of-file")).toMatchObject({ situation: "disputed", candidates: [{ userName: "by-file" }] });
    expect(await comes("2006", "welcome-too")).toMatchObject({ situation: "linked" });
    await imported("userName,employeeNumber\nby-edit,2007\n", delegate);
    expect(await comes("2007", "of-edit")).toMatchObject({ situation: "disputed", candidates: [{ userName: "by-edit" }] });
  });

  test("a SCIM client that looked them up does not come by them either, until somebody who administers everybody says the same", async () => {
    const { door } = world;
    const login = "sought@example.com";
    const id = await made({ userName: login }, delegate);
    const scim = supertest(`${door.url}/scim/v2`);
    const bearer = { Authorization: `Bearer ${await door.newToken({ scope: "scim" })}`, "Content-Type": "application/scim+json" };
    const resource = JSON.stringify({ schemas: ["urn:ietf:params:scim:schemas:core:2.0:User"], userName: login, title: "Head" });
    const patch = JSON.stringify({
      schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
      Operations: [{ op: "replace", path: "title", value: "Head" }],
    });
    const { body: found } = await scim
      .get("/Users")
      .query({ filter: `userName eq "${login}"` })
      .set(bearer)
      .expect(200);
    expect(found.Resources).toMatchObject([{ id }]);
    await scim.post("/Users").set(bearer).send(resource).expect(409);
    for (const write of [() => scim.put(`/Users/${id}`).send(resource), () => scim.patch(`/Users/${id}`).send(patch)]) {
      const { body } = await write().set(bearer).expect(409);
      expect(body).toMatchObject({ scimType: "uniqueness", detail: expect.stringMatching(/an edit that says the same.*: userName\.$/) });
    }
    expect((await door.request("GET", `/people/${id}`).expect(200)).body).toMatchObject({ title: null });
    await door.request("PATCH", `/people/${id}`, { token: head, headers: ANY, body: { userName: login } }).expect(200);
    await scim.patch(`/Users/${id}`).set(bearer).send(patch).expect(200);
    const { rows: told } = await door.db.pool.query("select data from audit_events where name = 'person.vouched' and subject_id = $1", [
      id,
    ]);
    expect(told).toEqual([{ data: { changed: ["userName"] } }]);
  });

  test("nor does a SCIM client put them into its groups, whichever way it asks, until they are vouched for", async () => {
    const { door } = world;
    const id = await made({ userName: "sought-too@example.com" }, delegate);
    const welcome = await made({ userName: "vouched-for@example.com" }, head);
    const scim = supertest(`${door.url}/scim/v2`);
    const bearer = { Authorization: `Bearer ${await door.newToken({ scope: "scim" })}`, "Content-Type": "application/scim+json" };
    const schemas = ["urn:ietf:params:scim:schemas:core:2.0:Group"];
    const both = [{ value: welcome }, { value: id }];
    const patched = (Operations: object[]) => JSON.stringify({ schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], Operations });
    const { body: group } = await scim
      .post("/Groups")
      .set(bearer)
      .send(JSON.stringify({ schemas, displayName: "Keys" }))
      .expect(201);
    const ways = [
      () => scim.patch(`/Groups/${group.id}`).send(patched([{ op: "add", path: "members", value: both }])),
      () => scim.patch(`/Groups/${group.id}`).send(patched([{ op: "replace", path: "members", value: both }])),
      () => scim.put(`/Groups/${group.id}`).send(JSON.stringify({ schemas, displayName: "Keys", members: both })),
      () => scim.post("/Groups").send(JSON.stringify({ schemas, displayName: "More keys", members: both })),
    ];
    for (const way of ways) {
      const { body } = await way().set(bearer).expect(409);
      expect(body).toMatchObject({ scimType: "uniqueness", detail: expect.stringMatching(/an edit that says the same.*: userName\.$/) });
    }
    const inside = async () =>
      (await door.db.pool.query("select person_id from memberships where recorded_to is null and valid_to is null")).rows;
    expect(await inside()).toEqual([]);
    await door.request("PATCH", `/people/${id}`, { token: head, headers: ANY, body: { userName: "sought-too@example.com" } }).expect(200);
    await ways[0]?.().set(bearer).expect(204);
    expect((await inside()).map((row) => row.person_id).toSorted()).toEqual([id, welcome].toSorted());
    // Who is in stays in when the whole list is said again, whatever was said of them meanwhile.
    await door.request("PATCH", `/people/${id}`, { token: delegate, headers: ANY, body: { employeeNumber: "2009" } }).expect(200);
    await ways[2]?.().set(bearer).expect(200);
    await scim
      .patch(`/Groups/${group.id}`)
      .set(bearer)
      .send(patched([{ op: "remove", path: `members[value eq "${id}"]` }]))
      .expect(204);
    expect(await inside()).toEqual([{ person_id: welcome }]);
    await door.db.pool.query(
      `update connections set settings = settings || '{"unknownMembers": "skip"}', version = version + 1 where connector = 'scim-inbound'`,
    );
    for (const way of ways.slice(0, 3)) {
      expect([200, 204]).toContain((await way().set(bearer)).status);
      expect(await inside()).toEqual([{ person_id: welcome }]);
    }
    await door.request("PATCH", `/people/${id}`, { token: head, headers: ANY, body: { employeeNumber: "2009" } }).expect(200);
    await ways[1]?.().set(bearer).expect(204);
    await door.request("PATCH", `/people/${id}`, { token: delegate, headers: ANY, body: { employeeNumber: "2010" } }).expect(200);
    for (const way of ways.slice(0, 3)) {
      expect([200, 204]).toContain((await way().set(bearer)).status);
      expect(await inside()).toHaveLength(2);
    }
  });

  test("a private address of one's own leaves the address for sign-in what it was", async () => {
    const { door } = world;
    const main = { value: "own@example.com", type: "work", primary: true };
    const id = await made({ userName: "own", emails: [main] }, head);
    const emails = [main, { value: "own@home.example", type: "home" }];
    const token = await door.newToken({ personId: id });
    await door.request("PATCH", `/people/${id}`, { token, headers: ANY, body: { emails } }).expect(200);
    await door.request("PATCH", `/people/${id}`, { token: delegate, headers: ANY, body: { emails: [main] } }).expect(200);
    const unvouched = async () => (await door.db.pool.query("select unvouched from people where id = $1", [id])).rows;
    expect(await unvouched()).toEqual([{ unvouched: [] }]);
    const other = [{ ...main, value: "another@example.com" }];
    await door.request("PATCH", `/people/${id}`, { token: delegate, headers: ANY, body: { emails: other } }).expect(200);
    expect(await unvouched()).toEqual([{ unvouched: ["emails"] }]);
  });

  test("what an origin masters by now, it has said itself", async () => {
    const { door } = world;
    const id = await made({ userName: "of-both" }, delegate);
    await door.request("PATCH", `/people/${id}`, { token: head, headers: ANY, body: { employeeNumber: "2008" } }).expect(200);
    expect(await comes("2008", "of-both")).toMatchObject({ situation: "linked", personId: id });
    const { mapping } = world.hr("by-login") as { mapping: object };
    await door
      .request("POST", "/connections", { body: world.hr("by-login", { mapping: { ...mapping, match: ["userName"] } }) })
      .expect(201);
    await world.sync("by-login");
    const { body } = await door.request("GET", "/accounts?connection=by-login&limit=200").expect(200);
    expect(body.items.find((account: { nativeId: string }) => account.nativeId === "2008")).toMatchObject({
      situation: "linked",
      personId: id,
    });
  });
});
