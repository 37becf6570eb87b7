import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import supertest from "supertest";
import { revokeToken } from "../../../src/auth/tokens.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { testContext } from "../../helpers/database.ts";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const ERROR = "urn:ietf:params:scim:api:messages:2.0:Error";

let door: Door;
beforeAll(async () => {
  door = await openDoor({ bodyLimit: 20_000 });
});
afterAll(() => door.close());

const raw = (method: "post" | "patch", path: string, { body, type }: { body: string; type?: string }) => {
  const call = supertest(door.app)[method](`/scim/v2${path}`).set("Authorization", `Bearer ${door.token}`);
  return (type ? call.set("Content-Type", type) : call).serialize((text) => text as unknown as string).send(body as unknown as object);
};

describe("G5: bearer tokens at the SCIM door", () => {
  test("G5: without, with a wrong, a revoked or another scope's token nothing is shown", async () => {
    for (const token of [null, "nonsense", `rc_scim_abcdefgh_${"x".repeat(43)}`]) {
      const answer = await door.request("GET", "/Users", { token });
      expect([answer.status, answer.headers["www-authenticate"], answer.body.schemas]).toEqual([
        401,
        expect.stringMatching(/^Bearer /),
        [ERROR],
      ]);
    }
    const revoked = await door.newToken();
    expect((await door.request("GET", "/Users", { token: revoked.token })).status).toBe(200);
    await inTransaction(door.db, testContext(), (work) => revokeToken(work, { id: revoked.id, reason: "leaked" }));
    expect((await door.request("GET", "/Users", { token: revoked.token })).status).toBe(401);
    const api = await door.newToken({ scope: "api" });
    expect((await door.request("GET", "/Users", { token: api.token })).status).toBe(403);
  });

  test("G5: a token opens its own connection's door and no other, and none that is switched off", async () => {
    const { rows } = await door.db.pool.query("insert into connections (name, connector) values ('okta', 'scim-inbound') returning id");
    const { token } = await door.newToken({ connectionId: rows[0].id });
    const at = (path: string, other = token) => door.request("GET", path, { token: other });
    expect((await at("/scim/okta/v2/Users")).status).toBe(200);
    expect((await at("/scim/v2/Users")).status).toBe(200);
    expect((await at("/scim/okta/v2/Users", door.token)).status).toBe(403);
    const created = await door.request("POST", "/scim/okta/v2/Users", { token, body: { schemas: [USER], userName: "via-okta" } });
    expect(created.headers["location"]).toMatch(/\/scim\/okta\/v2\/Users\/[0-9a-f-]+$/);
    await door.db.pool.query("update connections set enabled = false where name = 'okta'");
    expect((await at("/scim/okta/v2/Users")).status).toBe(403);
  });

  test("M1: a client reads back what it wrote, others see the merged person", async () => {
    const { rows } = await door.db.pool.query(
      "insert into connections (name, connector, precedence) values ('hr', 'scim-inbound', 1) returning id",
    );
    const { token } = await door.newToken({ connectionId: rows[0].id });
    const hr = await door.request("POST", "/Users", {
      token,
      body: { schemas: [USER], userName: "both@example.com", title: "From HR", externalId: "hr-1" },
    });
    const { id } = hr.body;
    const merged = await door.request("GET", `/Users/${id}`);
    expect(merged.body).toMatchObject({ title: "From HR" });
    const put = await door.request("PUT", `/Users/${id}`, {
      body: { schemas: [USER], userName: "both@example.com", title: "From IdP", externalId: "idp-1" },
    });
    expect([put.status, put.body.title, put.body.externalId]).toEqual([200, "From IdP", "idp-1"]);
    expect((await door.request("GET", `/Users/${id}`, { token })).body).toMatchObject({ title: "From HR", externalId: "hr-1" });
    expect((await door.db.pool.query("select attributes->>'title' as title from people where id = $1", [id])).rows).toEqual([
      { title: "From HR" },
    ]);
    const search = async (filter: string, as?: string) =>
      (await door.request("GET", `/Users?${new URLSearchParams({ filter })}`, as ? { token: as } : {})).body.totalResults;
    expect([
      await search('title eq "From IdP"'),
      await search('externalId eq "hr-1"'),
      await search('externalId eq "hr-1"', token),
    ]).toEqual([1, 0, 1]);
  });
});

describe("M1: the protocol's edges", () => {
  test("M1: discovery says what there is, in full, and can't be filtered", async () => {
    const config = await door.request("GET", "/ServiceProviderConfig");
    expect(config.body).toMatchObject({
      patch: { supported: true },
      bulk: { supported: true },
      filter: { supported: true, maxResults: 1000 },
      sort: { supported: true },
      etag: { supported: true },
    });
    const types = await door.request("GET", "/ResourceTypes");
    expect(types.body.Resources.map(({ id }: { id: string }) => id)).toEqual(["User", "Group", "Unit", "Role"]);
    const schemas = await door.request("GET", "/Schemas");
    expect(schemas.body).toMatchObject({ totalResults: 10, itemsPerPage: 10 });
    const one = await door.request("GET", `/Schemas/${USER}`);
    expect(one.body).toMatchObject({
      id: USER,
      meta: { resourceType: "Schema", location: expect.stringMatching(new RegExp(`^http://127.*/scim/v2/Schemas/${USER}$`)) },
    });
    expect(one.body.attributes.find(({ name }: { name: string }) => name === "userName")).toMatchObject({
      required: true,
      uniqueness: "server",
      caseExact: false,
    });
    expect((await door.request("GET", "/ResourceTypes/user")).body).toMatchObject({ endpoint: "/Users" });
    expect((await door.request("GET", "/Schemas/urn:nothing")).status).toBe(404);
    expect((await door.request("GET", "/Schemas?filter=id%20pr")).status).toBe(403);
  });

  test.each([
    ["PUT", "/Users", 405, "GET, HEAD, POST"],
    ["POST", "/Users/2819c223-7f76-453a-919d-413861904646", 405, "GET, HEAD, PUT, PATCH, DELETE"],
    ["POST", "/ServiceProviderConfig", 405, "GET, HEAD"],
    ["GET", "/Users/.search", 405, "POST"],
    ["GET", "/Nothing", 404, undefined],
    ["GET", "/Users/not-a-uuid", 404, undefined],
    ["GET", "/Me", 404, undefined],
    ["POST", "/Bulk", 400, undefined],
  ])("M1: %s %s is answered with %i as a SCIM error", async (method, path, status, allow) => {
    const answer = await door.request(method, path);
    expect([answer.status, answer.headers["allow"], answer.body.status, answer.body.schemas]).toEqual([
      status,
      allow,
      String(status),
      [ERROR],
    ]);
  });

  test("M1: hostile bodies are refused in SCIM's form, and nothing is left behind", async () => {
    const user = (more: string) => `{"schemas":["${USER}"],"userName":"hostile",${more}}`;
    const json = "application/scim+json";
    for (const [body, type, status, scimType] of [
      ["{not json", json, 400, "invalidSyntax"],
      ['"text"', json, 400, "invalidSyntax"],
      ["[]", json, 400, "invalidSyntax"],
      [user('"__proto__":{"active":false}'), json, 400, "invalidSyntax"],
      [user('"name":{"constructor":{"prototype":{"x":1}}}'), json, 400, "invalidSyntax"],
      [user(`"name":${"[".repeat(3000)}${"]".repeat(3000)}`), json, 400, "invalidSyntax"],
      [user('"title":"\\u0000"'), json, 400, "invalidValue"],
      [user('"title":"\\ud800"'), json, 400, "invalidValue"],
      [user(`"title":"${"x".repeat(30_000)}"`), json, 413, undefined],
      ["userName=hostile", "application/x-www-form-urlencoded", 415, undefined],
      [user('"title":"x"'), "text/plain", 415, undefined],
    ] as const) {
      const answer = await raw("post", "/Users", { body, type });
      expect([body.slice(0, 80), answer.status, answer.body.schemas, answer.body.scimType]).toEqual([
        body.slice(0, 80),
        status,
        [ERROR],
        scimType,
      ]);
    }
    expect((await door.request("GET", `/Users?${new URLSearchParams({ filter: 'userName eq "hostile"' })}`)).body.totalResults).toBe(0);
    expect((await raw("post", "/Users", { body: user('"title":"x"'), type: "application/json; charset=utf-8" })).status).toBe(201);
  });

  test("M1: hostile filters are values, never SQL, and never a server's error", async () => {
    const filters = [
      `userName eq "'; drop table people; --"`,
      `userName eq "\\" or 1=1"`,
      'userName co "%"',
      `emails[value eq "'"]`,
      `title eq "$1"`,
      `${"(".repeat(500)}`,
      `id eq "x' or 'a'='a"`,
      `meta.lastModified gt "99999-01-01"`,
      `meta.lastModified gt "2026-02-31T00:00:00Z"`,
      `__proto__ eq "x"`,
      `constructor.name eq "x"`,
      "eq eq eq",
      "\u0000",
      "userName eq \u0000",
    ];
    for (const filter of filters) {
      const answer = await door.request("GET", `/Users?${new URLSearchParams({ filter })}`);
      expect([filter, [200, 400].includes(answer.status)]).toEqual([filter, true]);
      if (answer.status === 200 && filter !== 'userName co "%"') expect(answer.body.totalResults).toBe(0);
    }
    expect((await door.request("GET", `/Users?${new URLSearchParams({ filter: 'userName co "%"' })}`)).body.totalResults).toBe(0);
    for (const query of [
      "attributes=__proto__,constructor",
      "sortBy=__proto__",
      "filter=a&filter=b",
      "startIndex=1e9",
      "count=99999999999",
      "filter[x]=y",
    ]) {
      expect([query, [200, 400].includes((await door.request("GET", `/Users?${query}`)).status)]).toEqual([query, true]);
    }
  });

  test("M1: what we don't foresee is answered without its cause", async () => {
    await door.db.pool.query("alter table groups rename to groups_away");
    try {
      const answer = await door.request("GET", "/Groups");
      expect([answer.status, answer.body.status, answer.text.includes("groups_away"), answer.text.includes("relation")]).toEqual([
        500,
        "500",
        false,
        false,
      ]);
    } finally {
      await door.db.pool.query("alter table groups_away rename to groups");
    }
  });
});
