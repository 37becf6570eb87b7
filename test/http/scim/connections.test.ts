import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { addConnection } from "../../../src/connections/store.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { testContext } from "../../helpers/database.ts";
import { keyRing, openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";
const BULK_REQUEST = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

let door: Door;
const tokens = { hr: "", idp: "" };
beforeAll(async () => {
  door = await openDoor({ trustProxy: true });
  // HR names people by their numbers; the IdP's resources are taken as they are.
  tokens.hr = await client("hr", {
    precedence: 10,
    settings: { dialect: "sap" },
    mapping: {
      user: {
        scope: "account.userType == 'Employee'",
        attributes: {
          userName: "account.externalId + '@acme.example'",
          displayName: "account.displayName",
          department: "account.nickName",
        },
      },
      match: ["userName"],
    },
  });
  tokens.idp = await client("idp", { precedence: 20, settings: { dialect: "entra" } });
});
afterAll(() => door.close());

async function client(name: string, more: object): Promise<string> {
  const { id } = await inTransaction(door.db, testContext(), (work) =>
    addConnection(work, { keyRing, definition: { name, connector: "scim-inbound", ...more } }),
  );
  return (await door.newToken({ name, connectionId: id })).token;
}

const at = (name: keyof typeof tokens, method: string, path: string, body?: object) =>
  door.request(method, `/scim/${name}/v2${path}`, { token: tokens[name], body });

describe("several SCIM clients, each with a connection of its own", () => {
  test("each one's mapping makes its part of the person, and each reads back what it wrote", async () => {
    const fromHr = await at("hr", "POST", "/Users", {
      schemas: [USER],
      userName: "P-17",
      externalId: "17",
      userType: "Employee",
      displayName: "Ann of HR",
      nickName: "Clerks",
    });
    expect([fromHr.status, fromHr.body.userName]).toEqual([201, "P-17"]);
    const fromIdp = await at("idp", "POST", "/Users", {
      schemas: [USER],
      userName: "17@acme.example",
      displayName: "Ann of the IdP",
      title: "Judge",
    });
    expect([fromIdp.status, fromIdp.body.id]).toEqual([201, fromHr.body.id]);

    const { rows } = await door.db.pool.query("select attributes from people where id = $1", [fromHr.body.id]);
    expect(rows[0].attributes).toEqual({
      userName: "17@acme.example",
      displayName: "Ann of HR",
      title: "Judge",
      [ENTERPRISE]: { department: "Clerks" },
    });
    const toIdp = await at("idp", "GET", `/Users/${fromIdp.body.id}`);
    expect(toIdp.body).toMatchObject({ userName: "17@acme.example", displayName: "Ann of the IdP", title: "Judge" });
    expect(toIdp.body).not.toHaveProperty(ENTERPRISE);
    const toHr = await at("hr", "GET", '/Users?filter=externalId eq "17"');
    expect(toHr.body.Resources).toEqual([expect.objectContaining({ userName: "P-17", nickName: "Clerks" })]);
    expect((await at("idp", "GET", '/Users?filter=externalId eq "17"')).body.totalResults).toBe(0);
  });

  test("whom one's scope leaves out, it can't bring in; the other can", async () => {
    const guest = { schemas: [USER], userName: "guest@acme.example", externalId: "guest", userType: "Guest" };
    expect((await at("hr", "POST", "/Users", guest)).status).toBe(400);
    expect((await at("idp", "POST", "/Users", guest)).status).toBe(201);
  });

  test("a group is renamed by the client that made it; another is told so, and its members come and go all the same", async () => {
    const other = (method: string, path: string, body?: object) => door.request(method, path, { body });
    const { id: ann } = (await other("POST", "/Users", { schemas: [USER], userName: "member@acme.example" })).body;
    const { id } = (await at("idp", "POST", "/Groups", { schemas: [GROUP], displayName: "Made by the IdP" })).body;
    const group = `/Groups/${id}`;
    const rename = { op: "replace", path: "displayName", value: "Renamed" };
    const refused = await other("PATCH", group, { Operations: [rename] });
    expect([refused.status, refused.body.detail]).toEqual([403, `The group ${id} belongs to another origin; it is renamed there.`]);
    expect((await other("PUT", group, { schemas: [GROUP], displayName: "Renamed" })).status).toBe(403);
    expect((await other("DELETE", group)).status).toBe(403);

    // What it may do is not given up for a name that it does not know yet.
    const member = { op: "add", path: "members", value: [{ value: ann }] };
    expect((await other("PATCH", group, { Operations: [rename, member] })).status).toBe(204);
    const put = await other("PUT", group, { schemas: [GROUP], displayName: "Renamed", members: [{ value: ann }] });
    expect(put.body).toMatchObject({ displayName: "Made by the IdP", members: [{ value: ann }] });
    for (const value of ["Made by the IdP", "Renamed"]) {
      const said = { Operations: [{ op: "replace", value: { id, displayName: value, externalId: "other" } }] };
      expect((await other("PATCH", group, said)).status).toBe(value === "Renamed" ? 403 : 204);
    }
    expect((await at("idp", "PATCH", group, { Operations: [rename] })).status).toBe(204);
    expect((await other("GET", group)).body).toMatchObject({ displayName: "Renamed", members: [{ value: ann }] });
  });

  test("a token opens its own connection's path and the common one, not another's", async () => {
    const status = async (path: string) => (await door.request("GET", path, { token: tokens.hr })).status;
    expect(await status("/scim/hr/v2/Users?count=0")).toBe(200);
    expect(await status("/scim/v2/Users?count=0")).toBe(200);
    expect(await status("/scim/idp/v2/Users?count=0")).toBe(403);
    expect(await status("/scim/nobody/v2/Users?count=0")).toBe(403);
  });

  test("every URL is under the path that the client called", async () => {
    const person = await at("idp", "POST", "/Users", { schemas: [USER], userName: "urls@acme.example" });
    const group = await at("idp", "POST", "/Groups", { schemas: [GROUP], displayName: "URLs", members: [{ value: person.body.id }] });
    const host = person.headers["location"]?.split("/scim/")[0] ?? "";
    for (const [base, read] of [
      [`${host}/scim/idp/v2`, (path: string) => at("idp", "GET", path)],
      [`${host}/scim/v2`, (path: string) => door.request("GET", path, { token: tokens.idp })],
    ] as const) {
      const held = (await read(`/Groups/${group.body.id}`)).body;
      expect(held.meta.location).toBe(`${base}/Groups/${group.body.id}`);
      expect(held.members).toEqual([expect.objectContaining({ value: person.body.id, $ref: `${base}/Users/${person.body.id}` })]);
      const member = (await read(`/Users/${person.body.id}`)).body;
      expect(member.meta.location).toBe(`${base}/Users/${person.body.id}`);
      expect(member.groups).toEqual([expect.objectContaining({ value: group.body.id, $ref: `${base}/Groups/${group.body.id}` })]);
      expect((await read("/ResourceTypes/User")).body.meta.location).toBe(`${base}/ResourceTypes/User`);
      expect((await read("/ServiceProviderConfig")).body.meta.location).toBe(`${base}/ServiceProviderConfig`);
    }
    expect(person.headers["location"]).toBe(`${host}/scim/idp/v2/Users/${person.body.id}`);
    const bulk = await at("idp", "POST", "/Bulk", {
      schemas: [BULK_REQUEST],
      Operations: [{ method: "POST", path: "/Users", bulkId: "a", data: { schemas: [USER], userName: "bulk@acme.example" } }],
    });
    expect(bulk.body.Operations[0].location).toMatch(new RegExp(`^${host}/scim/idp/v2/Users/`));
  });
});

describe("behind a proxy", () => {
  const forwarded = { "X-Forwarded-Proto": "https", "X-Forwarded-Host": "id.example.com:8443", "X-Forwarded-Prefix": "/gateway/" };

  test("what a trusted one says of scheme, host and prefix is where everything stands", async () => {
    const { body, headers } = await door.request("POST", "/Users", { body: { schemas: [USER], userName: "proxied" }, headers: forwarded });
    expect(headers["location"]).toBe(`https://id.example.com:8443/gateway/scim/v2/Users/${body.id}`);
    expect(body.meta.location).toBe(headers["location"]);
  });

  test.each([
    ["a prefix that is no path", { ...forwarded, "X-Forwarded-Prefix": '/a"b' }],
    ["a prefix that is a host", { ...forwarded, "X-Forwarded-Prefix": "//evil.example" }],
    ["a scheme that is not ours", { ...forwarded, "X-Forwarded-Proto": "javascript" }],
    ["a scheme with a host in it", { ...forwarded, "X-Forwarded-Proto": "https://evil.example/" }],
    ["a host that is none", { ...forwarded, "X-Forwarded-Host": "evil.example/path?" }],
  ])("%s is refused", async (_what, headers) => {
    const answer = await door.request("GET", "/Users?count=0", { headers });
    expect([answer.status, answer.body.status]).toEqual([400, "400"]);
  });

  test("nobody else is believed", async () => {
    const closed = await openDoor();
    try {
      const { headers } = await closed.request("POST", "/Users", { body: { schemas: [USER], userName: "direct" }, headers: forwarded });
      expect(headers["location"]).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/scim\/v2\/Users\//);
    } finally {
      await closed.close();
    }
  });
});
