import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

let door: Door;
let own: string;
let person: string;
let group: string;
let mine: string;
beforeAll(async () => {
  door = await openDoor();
  const { rows } = await door.db.pool.query(
    `insert into connections (name, connector, settings) values ('narrow', 'scim-inbound', '{"visibility": "own"}') returning id`,
  );
  own = (await door.newToken({ connectionId: rows[0].id })).token;
  person = (await door.request("POST", "/Users", { body: { schemas: [USER], userName: "theirs" } })).body.id;
  group = (await door.request("POST", "/Groups", { body: { schemas: [GROUP], displayName: "Theirs", members: [{ value: person }] } })).body
    .id;
  mine = (await door.request("POST", "/Users", { body: { schemas: [USER], userName: "mine" }, token: own })).body.id;
  await door.request("PATCH", `/Groups/${group}`, {
    body: { schemas: [PATCH], Operations: [{ op: "add", path: "members", value: [{ value: mine }] }] },
  });
});
afterAll(() => door.close());

const asOwn = (method: string, path: string, body?: unknown) => door.request(method, path, { token: own, ...(body ? { body } : {}) });

describe("B10: a client that sees only its own", () => {
  test("B10: finds only what its connection has an account for, and totals say so", async () => {
    for (const query of ["", "?cursor", "?sortBy=userName", "?count=0", "?filter=userName pr", "?sortBy=meta.lastModified"]) {
      const { body } = await asOwn("GET", `/Users${encodeURI(query)}`);
      expect(body.totalResults).toBe(1);
      if (query !== "?count=0") expect(body.Resources.map(({ id }: { id: string }) => id)).toEqual([mine]);
    }
    expect((await asOwn("GET", "/Groups")).body).toMatchObject({ totalResults: 0, Resources: [] });
    expect((await asOwn("GET", `/Users?${new URLSearchParams({ filter: 'userName eq "theirs"' })}`)).body.totalResults).toBe(0);
    expect((await asOwn("GET", `/Users/${mine}`)).body.groups).toBeUndefined();
  });

  test.each(["Users", "Groups"])("B10: neither reads nor touches another's %s", async (endpoint) => {
    const path = `/${endpoint}/${endpoint === "Users" ? person : group}`;
    const patch = { schemas: [PATCH], Operations: [{ op: "replace", path: "displayName", value: "taken over" }] };
    const whole = endpoint === "Users" ? { schemas: [USER], userName: "theirs" } : { schemas: [GROUP], displayName: "Theirs" };
    const before = (await door.request("GET", path)).body;
    for (const [method, body] of [["GET"], ["PATCH", patch], ["PUT", whole], ["DELETE"]] as const)
      expect({ method, status: (await asOwn(method, path, body)).status }).toEqual({ method, status: 404 });
    expect((await door.request("GET", path)).body).toEqual(before);
  });

  test("B10: takes nobody over by naming them, where the connection leaves linking to others", async () => {
    const mapping = { match: ["userName"], situations: { unlinked: "dispute" }, user: { attributes: { userName: "account.userName" } } };
    await door.db.pool.query(
      "insert into connections (name, connector, settings, mapping) values ('modest', 'scim-inbound', '{\"visibility\": \"own\"}', $1)",
      [mapping],
    );
    const { rows } = await door.db.pool.query("select id from connections where name = 'modest'");
    const { token } = await door.newToken({ connectionId: rows[0].id });
    const answer = await door.request("POST", "/Users", { token, body: { schemas: [USER], userName: "theirs" } });
    expect([answer.status, answer.body.scimType]).toEqual([409, "uniqueness"]);
    expect(answer.text).not.toContain(person);
    expect((await door.request("GET", `/Users/${person}`, { token })).status).toBe(404);
  });

  test("B10: is not told whose a name is that is taken", async () => {
    const rename = { schemas: [PATCH], Operations: [{ op: "replace", path: "userName", value: "theirs" }] };
    for (const [method, body] of [
      ["PATCH", rename],
      ["PUT", { schemas: [USER], userName: "theirs" }],
    ] as const) {
      const answer = await asOwn(method, `/Users/${mine}`, body);
      expect([answer.status, answer.body.scimType]).toEqual([409, "uniqueness"]);
      expect(answer.text).not.toContain(person);
    }
  });

  test("B10: a client of the whole directory sees both", async () => {
    expect((await door.request("GET", "/Users")).body.totalResults).toBe(2);
    expect((await door.request("GET", `/Users/${mine}`)).body.groups).toMatchObject([{ value: group }]);
  });

  test("a page shows everybody as a read of each does: in several groups, in one, in none, in those that a client doesn't see", async () => {
    await door.request("POST", "/Groups", { body: { schemas: [GROUP], displayName: 'An "other"', members: [{ value: person }] } });
    await door.request("POST", "/Groups", { body: { schemas: [GROUP], displayName: "Ours", members: [{ value: mine }] }, token: own });
    await door.request("POST", "/Users", { body: { schemas: [USER], userName: "alone" } });
    for (const ask of [asOwn, (method: string, path: string) => door.request(method, path)])
      for (const query of ["", "&sortBy=userName", "&cursor", "&excludedAttributes=groups", "&attributes=groups"]) {
        const { Resources } = (await ask("GET", `/Users?count=10${query}`)).body;
        const options = query.includes("ttributes") ? `?${query.slice(1)}` : "";
        const each = [];
        for (const { id } of Resources) each.push((await ask("GET", `/Users/${id}${options}`)).body);
        expect(Resources).toEqual(each);
      }
    const groupsOf = async (ask: typeof asOwn) =>
      (await ask("GET", "/Users")).body.Resources.map(({ groups = [] }) => groups.length).sort();
    expect(await groupsOf((method, path) => door.request(method, path))).toEqual([0, 2, 2]);
    expect(await groupsOf(asOwn)).toEqual([1]);
  });
});
