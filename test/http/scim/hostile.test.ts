import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createStatementNames } from "../../../src/db/statement-names.ts";
import { coerceResource } from "../../../src/http/scim/coerce.ts";
import { createBending } from "../../../src/http/scim/dialects/bending.ts";
import { PROFILES } from "../../../src/http/scim/dialects/profiles/index.ts";
import { bendResource } from "../../../src/http/scim/dialects/resource.ts";
import { instant } from "../../../src/http/scim/filter/literals.ts";
import type { JsonObject } from "../../../src/http/scim/json.ts";
import { applyPatch } from "../../../src/http/scim/patch/apply.ts";
import { readOperations } from "../../../src/http/scim/patch/operations.ts";
import { project, readProjection } from "../../../src/http/scim/projection.ts";
import { USER as SCHEMA } from "../../../src/http/scim/schema.ts";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

let door: Door;
let own: string;
beforeAll(async () => {
  door = await openDoor();
  const { rows } = await door.db.pool.query(
    `insert into connections (name, connector, settings) values ('narrow', 'scim-inbound', '{"visibility": "own"}') returning id`,
  );
  own = (await door.newToken({ connectionId: rows[0].id })).token;
});
afterAll(() => door.close());

// Each of these took minutes to hours of the one thread that serves everybody.
describe("what a client sends costs no more than its length", () => {
  test("a binary value of spaces that is none", () => {
    const body = { userName: "ann", x509Certificates: [{ value: `${" ".repeat(500_000)}!` }] };
    expect(() => coerceResource(SCHEMA, body)).toThrow("must be base64");
  });

  test("wrapped base64 is still read, whatever stands around its padding", () => {
    for (const value of ["YWI=", "YWJj\nZGU=\n", "YQ==", "YQ= =", "YWJj  "])
      expect(coerceResource(SCHEMA, { userName: "ann", x509Certificates: [{ value }] })).toMatchObject({ x509Certificates: [{ value }] });
    for (const value of ["YQ===", "=YQ", "Y!"])
      expect(() => coerceResource(SCHEMA, { userName: "ann", x509Certificates: [{ value }] })).toThrow("must be base64");
  });

  test("a list of elements without a value", () => {
    const addresses = Array.from({ length: 40_000 }, (_, at) => ({ locality: String(at % 39_999), primary: at === 7 }));
    const { addresses: held } = coerceResource(SCHEMA, { userName: "ann", addresses }) as { addresses: unknown[] };
    expect(held).toHaveLength(39_999);
  });

  test("the removal of many elements of a long list", () => {
    const addresses = Array.from({ length: 20_000 }, (_, at) => ({ locality: String(at) }));
    const emails: JsonObject[] = [{ value: "a", type: "work" }, { value: "a", type: "home" }, { value: "b", type: "work" }, { value: "c" }];
    const resource = coerceResource(SCHEMA, { userName: "ann", addresses, emails });
    const operations = readOperations(SCHEMA, {
      schemas: [PATCH],
      Operations: [
        { op: "remove", path: "addresses", value: addresses.slice(1) },
        { op: "remove", path: "emails", value: [{ value: "a" }, { value: "b", type: "home" }, { value: "c" }] },
      ],
    });
    expect(applyPatch(resource, { schema: SCHEMA, operations, createsAbsent: false })).toMatchObject({
      addresses: [{ locality: "0" }],
      emails: [{ value: "b", type: "work" }],
    });
  });

  test("tens of thousands of paths as names", () => {
    const names = Object.fromEntries(Array.from({ length: 30_000 }, (_, at) => [`emails[type eq "t${at}"].value`, String(at)]));
    const body = {
      schemas: [USER],
      userName: "ann",
      ...names,
      'emails[type eq "work"].display': "Ann",
      emails: [{ type: "work", value: "w" }],
    };
    const { emails } = bendResource(body, { schema: SCHEMA, bending: createBending(PROFILES.generic) }) as { emails: unknown[] };
    expect(emails.slice(0, 3)).toEqual([
      { type: "work", value: "w", display: "Ann" },
      { type: "t0", value: "0" },
      { type: "t1", value: "1" },
    ]);
    expect(emails).toHaveLength(30_001);
  });

  test("a hundred thousand elements that depart from the RFCs in one way are one departure, counted", () => {
    const bending = createBending(PROFILES.generic);
    bendResource({ schemas: [USER], userName: "ann", emails: Array.from({ length: 100_000 }, () => "x") }, { schema: SCHEMA, bending });
    expect(bending.bent).toEqual([{ quirk: "text-for-object", attribute: "emails", sample: "", count: 100_000 }]);
  });

  test("many operations on a long list are refused", () => {
    const emails = Array.from({ length: 20_000 }, (_, at) => ({ value: String(at) }));
    const resource = coerceResource(SCHEMA, { userName: "ann", emails });
    const Operations = Array.from({ length: 1000 }, (_, at) => ({ op: "add", path: "emails", value: [{ value: `x${at}` }] }));
    const operations = readOperations(SCHEMA, { schemas: [PATCH], Operations });
    expect(() => applyPatch(resource, { schema: SCHEMA, operations, createsAbsent: false })).toThrow("too many on lists");
  });

  test("an operation that is really thousands is refused", () => {
    const value = Object.fromEntries(Array.from({ length: 1001 }, (_, at) => [`emails[value eq "${at}"].display`, "x"]));
    expect(() => readOperations(SCHEMA, { schemas: [PATCH], Operations: [{ op: "add", value }] })).toThrow("at most 1000");
  });

  test("an attribute that is asked for a hundred thousand times is asked for once", () => {
    const names = Array.from({ length: 100_000 }, (_, at) => (at % 2 ? "emails.value" : "EMAILS.VALUE"));
    const projection = readProjection(SCHEMA, { attributes: names });
    expect(projection?.named).toHaveLength(1);
    const resource = { schemas: [USER], id: "1", emails: [{ value: "a", type: "work" }] };
    expect(projection && project(resource, { schema: SCHEMA, projection })).toEqual({ schemas: [USER], id: "1", emails: [{ value: "a" }] });
  });

  test("a statement of a thousand conditions is neither named nor remembered", () => {
    const names = createStatementNames();
    for (let times = 0; times < 5; times += 1) expect(names.nameOf(`select ${"x".repeat(200_000)}`)).toBeUndefined();
    expect([names.nameOf("select 1"), names.nameOf("select 1"), names.nameOf("select 1")]).toEqual([undefined, undefined, "shape-0"]);
  });
});

describe("what the database can't answer in time", () => {
  test("M1: is the filter's or the order's fault where there is one (400 tooMany); all else is to be tried again (503)", async () => {
    const { body: ann } = await door.request("POST", "/Users", { body: { schemas: [USER], userName: "late-ann" } });
    const holder = await door.db.pool.connect();
    try {
      await holder.query("begin");
      await holder.query("lock table accounts in access exclusive mode");
      const asked = ['/Users?filter=title%20co%20"x"', "/Users?sortBy=title", "/Users", `/Users/${ann.id}`];
      const answers = await Promise.all(asked.map((path) => door.request("GET", path)));
      expect(answers.map(({ status, body, headers }) => [status, body.scimType, headers["retry-after"]])).toEqual([
        [400, "tooMany", undefined],
        [400, "tooMany", undefined],
        [503, undefined, "5"],
        [503, undefined, "5"],
      ]);
    } finally {
      await holder.query("rollback");
      holder.release();
    }
  });
});

describe("what PostgreSQL does not take never reaches it", () => {
  test.each([["0000-01-01T00:00:00Z"], ["0001-01-01T00:00:00+14:00"], ["9999-12-31T23:59:59-14:00"], ["2024-01-01T00:00:00+23:59"]])(
    "a date %s",
    async (date) => {
      expect(instant(date)).toBeUndefined();
      const { status, body } = await door.request("GET", `/Users?${new URLSearchParams({ filter: `meta.created gt "${date}"` })}`);
      expect({ status, scimType: body.scimType }).toEqual({ status: 400, scimType: "invalidFilter" });
    },
  );

  test("U+0000 in an issuer's name, or in the connection of the URL", async () => {
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const token = (iss: string) => `${part({ alg: "RS256" })}.${part({ iss })}.c2ln`;
    expect((await door.request("GET", "/Users", { token: token("https://a\0") })).status).toBe(401);
    expect((await door.request("GET", "/scim/a%00/v2/Users", { token: token("https://a") })).status).toBe(401);
    expect((await door.request("GET", "/scim/a%00/v2/Users")).status).toBe(403);
  });

  test("the name of something that every object has, as a path of a bulk operation", async () => {
    const Operations = [{ method: "POST", path: "/constructor", bulkId: "a", data: { schemas: [GROUP], displayName: "x" } }];
    const { body } = await door.request("POST", "/Bulk", {
      body: { schemas: ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], Operations },
    });
    expect(body.Operations[0].response).toMatchObject({ status: "404", detail: "There is nothing to write at /constructor." });
  });
});

describe("B10: a client that sees only its own", () => {
  const make = async (endpoint: string, body: Record<string, unknown>, token?: string) =>
    (await door.request("POST", endpoint, { body, ...(token ? { token } : {}) })).body.id as string;
  const found = async (endpoint: string, filter: string) =>
    (await door.request("GET", `${endpoint}?${new URLSearchParams({ filter })}`, { token: own })).body.totalResults as number;

  test("B10: learns nothing of others' groups by a filter", async () => {
    const mine = await make("/Users", { schemas: [USER], userName: "filter-mine" }, own);
    const theirs = await make("/Groups", { schemas: [GROUP], displayName: "Filter theirs", members: [{ value: mine }] });
    const group = await make("/Groups", { schemas: [GROUP], displayName: "Filter mine", members: [{ value: mine }] }, own);
    expect(await found("/Users", `groups.value eq "${theirs}"`)).toBe(0);
    expect(await found("/Users", `groups[value eq "${theirs}"]`)).toBe(0);
    expect(await found("/Users", `groups.value eq "${group}"`)).toBe(1);
    expect(await found("/Groups", `members.value eq "${mine}"`)).toBe(1);
  });

  test("B10: puts only its own into its groups", async () => {
    const stranger = await make("/Users", { schemas: [USER], userName: "members-theirs" });
    const mine = await make("/Users", { schemas: [USER], userName: "members-mine" }, own);
    const group = await make("/Groups", { schemas: [GROUP], displayName: "Members mine", members: [{ value: mine }] }, own);
    const members = [{ value: stranger }];
    const put = { schemas: [GROUP], displayName: "Members mine", members };
    const patch = { schemas: [PATCH], Operations: [{ op: "add", path: "members", value: members }] };
    const other = { schemas: [GROUP], displayName: "Members more", members };
    for (const [method, path, body] of [
      ["PUT", `/Groups/${group}`, put],
      ["PATCH", `/Groups/${group}`, patch],
      ["POST", "/Groups", other],
    ] as const) {
      const { status, body: answer } = await door.request(method, path, { body, token: own });
      expect({ method, status, detail: answer.detail }).toEqual({
        method,
        status: 400,
        detail: `members: there is no user or group ${stranger}.`,
      });
    }
    expect((await door.request("GET", `/Groups/${group}`)).body.members).toMatchObject([{ value: mine }]);
    // Whom it used to have, it may still take out.
    const away = { schemas: [PATCH], Operations: [{ op: "remove", path: `members[value eq "${mine}"]` }] };
    expect((await door.request("PATCH", `/Groups/${group}`, { body: away, token: own })).status).toBe(204);
  });
});
