import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ERROR = "urn:ietf:params:scim:api:messages:2.0:Error";
const LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

let now = new Date("2026-03-01T10:00:00.000Z");
let door: Door;
beforeAll(async () => {
  door = await openDoor({ now: () => now });
});
afterAll(() => door.close());

const post = (body: object) => door.request("POST", "/Users", { body: { schemas: [USER], ...body } });
const get = (path: string, headers: Record<string, string> = {}) => door.request("GET", path, { headers });
const patch = (id: string, operations: readonly object[]) =>
  door.request("PATCH", `/Users/${id}`, { body: { schemas: [PATCH_OP], Operations: operations } });

describe("RFC 7643: resources", () => {
  test("2.1: attribute names and schema URIs know no case", async () => {
    const { status, body } = await door.request("POST", "/Users", {
      body: { SCHEMAS: [USER.toUpperCase()], USERNAME: "case", NickName: "N", [ENTERPRISE.toUpperCase()]: { DEPARTMENT: "D" } },
    });
    expect([status, body]).toEqual([201, expect.objectContaining({ userName: "case", nickName: "N", [ENTERPRISE]: { department: "D" } })]);
  });

  test("2.3.6: binary values are base64, and kept as they are", async () => {
    const good = await post({ userName: "binary", x509Certificates: [{ value: "MIIDQzCCAqygAwIBAgICEAAwDQYJKoZIhvc+/w==" }] });
    expect([good.status, good.body.x509Certificates[0].value]).toEqual([201, "MIIDQzCCAqygAwIBAgICEAAwDQYJKoZIhvc+/w=="]);
    const bad = await post({ userName: "no-binary", x509Certificates: [{ value: "not base64!" }] });
    expect([bad.status, bad.body.scimType, bad.body.detail]).toEqual([
      400,
      "invalidValue",
      expect.stringContaining("x509Certificates.value"),
    ]);
  });

  test("2.3.7: every reference can be followed", async () => {
    const { body: boss } = await post({ userName: "boss" });
    const { body: clerk } = await post({ userName: "clerk", [ENTERPRISE]: { manager: { value: boss.id } } });
    const { body: group } = await door.request("POST", "/Groups", {
      body: { schemas: [GROUP], displayName: "Followed", members: [{ value: clerk.id }] },
    });
    const member = (await get(`/Groups/${group.id}`)).body.members[0];
    const held = (await get(`/Users/${clerk.id}`)).body.groups[0];
    for (const [ref, id] of [
      [member.$ref, clerk.id],
      [held.$ref, group.id],
    ] as const) {
      const path = new URL(ref).pathname;
      expect((await door.request("GET", path)).body.id).toBe(id);
    }
  });

  test("2.3.8: attributes mean the same in whatever order they come", async () => {
    const sent = {
      name: { givenName: "A", familyName: "B" },
      emails: [{ type: "work", value: "order@example.com", primary: true }],
      [ENTERPRISE]: { department: "D", costCenter: "C" },
      schemas: [USER, ENTERPRISE],
    };
    const turned = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(turned)
        : typeof value === "object" && value !== null
          ? Object.fromEntries(
              Object.entries(value)
                .toReversed()
                .map(([name, inner]) => [name, turned(inner)]),
            )
          : value;
    const { body: one } = await door.request("POST", "/Users", { body: { userName: "order-1", ...sent } });
    const { body: other } = await door.request("POST", "/Users", { body: turned({ userName: "order-2", ...sent }) });
    expect(other).toEqual({ ...one, id: other.id, userName: "order-2", meta: other.meta });
    const put = await door.request("PUT", `/Users/${one.id}`, { body: turned({ userName: "order-1", ...sent }) });
    expect([put.status, put.headers["etag"]]).toEqual([200, one.meta.version]);
  });

  test("2.4: at most one value is primary, and none is there twice", async () => {
    const { body } = await post({
      userName: "primary",
      emails: [
        { value: "a@example.com", type: "work", primary: true },
        { value: "b@example.com", type: "home", primary: true },
        { value: "a@example.com", type: "work" },
      ],
    });
    expect(body.emails).toHaveLength(2);
    expect(body.emails.filter(({ primary }: { primary?: boolean }) => primary)).toHaveLength(1);
  });

  test("2.4: what is not said to be primary is not: filters and value paths find it as such", async () => {
    const { body } = await post({
      userName: "assumed",
      emails: [{ value: "assumed-1@example.com" }, { value: "assumed-2@example.com", primary: true }],
    });
    const { body: own } = await post({ userName: "assumed-none" });
    const found = async (filter: string) =>
      ((await get(`/Users?filter=${encodeURIComponent(`userName sw "assumed" and ${filter}`)}`)).body.Resources as { id: string }[]).map(
        ({ id }) => id,
      );
    expect(await found("emails[primary eq false]")).toEqual([body.id]);
    expect(await found("emails.primary eq false")).toEqual([body.id]);
    expect(await found('emails[value eq "assumed-1@example.com" and primary ne false]')).toEqual([]);
    expect(await found('emails[value eq "assumed-1@example.com" and primary pr]')).toEqual([]);
    expect(await found("emails[primary ne false]")).toEqual([body.id]);
    expect(await found('emails[value eq "assumed-1@example.com"] and emails.primary ne false')).toEqual([body.id]);
    expect((await found("emails.primary ne true")).sort()).toEqual([body.id, own.id].sort());
    const patched = await patch(body.id, [{ op: "replace", path: "emails[primary eq false].value", value: "assumed-3@example.com" }]);
    expect(patched.body.emails).toEqual([{ value: "assumed-3@example.com" }, { value: "assumed-2@example.com", primary: true }]);
  });

  test("2.5: unassigned, null and an empty list are one state", async () => {
    const { body } = await post({ userName: "unassigned", title: null, emails: [], nickName: "N" });
    expect(Object.keys(body)).not.toEqual(expect.arrayContaining(["title"]));
    const cleared = await door.request("PUT", `/Users/${body.id}`, {
      body: { schemas: [USER], userName: "unassigned", nickName: null, phoneNumbers: [] },
    });
    expect([cleared.status, cleared.body.nickName, cleared.body.phoneNumbers, cleared.body.emails]).toEqual([
      200,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("3: schemas names what is there, and nothing twice", async () => {
    const { body: plain } = await post({ userName: "schemas-1" });
    expect(plain.schemas).toEqual([USER]);
    const { body: extended } = await door.request("POST", "/Users", {
      body: { schemas: [ENTERPRISE, USER, USER], userName: "schemas-2", [ENTERPRISE]: { costCenter: "7" } },
    });
    expect([...extended.schemas].sort()).toEqual([USER, ENTERPRISE].sort());
    const { body: foreign } = await door.request("POST", "/Users", {
      body: { schemas: [USER, ENTERPRISE, "urn:example:other:2.0:User"], userName: "schemas-3", "urn:example:other:2.0:User": { x: 1 } },
    });
    expect([foreign.schemas, foreign["urn:example:other:2.0:User"]]).toEqual([[USER], undefined]);
  });

  test("3.1: id and meta are the server's; what a client says of them is ignored", async () => {
    const { body, headers } = await post({
      userName: "common",
      id: "mine",
      meta: { created: "1999-01-01T00:00:00Z", location: "x" },
      externalId: "e-1",
    });
    expect(body).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      externalId: "e-1",
      meta: {
        resourceType: "User",
        created: now.toISOString(),
        lastModified: now.toISOString(),
        location: headers["location"],
        version: headers["etag"],
      },
    });
    expect([body.meta.version, body.id]).toEqual([expect.stringMatching(/^W\/"/), expect.not.stringContaining("bulkId")]);
    const { body: none } = await post({ userName: "no-external-id" });
    expect(none).not.toHaveProperty("externalId");
  });

  test("3.1: a group that was made with its members was not changed since", async () => {
    let at = now.getTime();
    const ticking = await openDoor({ now: () => new Date((at += 1000)) });
    try {
      const { body: member } = await ticking.request("POST", "/Users", { body: { schemas: [USER], userName: "ticking" } });
      const resource = { schemas: [GROUP], displayName: "Ticking", members: [{ value: member.id }] };
      const { body: group, headers } = await ticking.request("POST", "/Groups", { body: resource });
      expect(group.members).toHaveLength(1);
      expect([group.meta.lastModified, group.meta.version]).toEqual([group.meta.created, headers["etag"]]);
      const left = { schemas: [PATCH_OP], Operations: [{ op: "remove", path: "members" }] };
      await ticking.request("PATCH", `/Groups/${group.id}`, { body: left });
      const { body: after } = await ticking.request("GET", `/Groups/${group.id}`);
      expect(after.meta.lastModified > group.meta.lastModified).toBe(true);
    } finally {
      await ticking.close();
    }
  });

  test("4.1.2: groups are read-only on a user: memberships change through the group", async () => {
    const { body: group } = await door.request("POST", "/Groups", { body: { schemas: [GROUP], displayName: "Closed" } });
    const { status, body } = await post({ userName: "joiner", groups: [{ value: group.id }] });
    expect([status, body.groups]).toEqual([201, undefined]);
    const refused = await patch(body.id, [{ op: "add", path: "groups", value: [{ value: group.id }] }]);
    expect([refused.status, refused.body.scimType]).toEqual([400, "mutability"]);
  });

  test("7: the case of a value is kept, also where it makes no difference", async () => {
    const { body } = await post({ userName: "MixedCase", externalId: "AbC" });
    expect([body.userName, body.externalId]).toEqual(["MixedCase", "AbC"]);
    const total = async (filter: string) => (await get(`/Users?filter=${encodeURIComponent(filter)}`)).body.totalResults;
    expect([await total('userName eq "mixedcase"'), await total('externalId eq "abc"'), await total('externalId eq "AbC"')]).toEqual([
      1, 0, 1,
    ]);
  });
});

describe("RFC 7644: the protocol", () => {
  test("3.1: messages are no schemas to discover, and answers are UTF-8", async () => {
    const answer = await get("/Schemas");
    expect(answer.headers["content-type"]).toBe("application/scim+json; charset=utf-8");
    for (const { id } of answer.body.Resources) expect(id).not.toMatch(/^urn:ietf:params:scim:api:/);
    const named = await post({ userName: "utf-8", displayName: "Żółć 𝄞 名前" });
    expect((await get(`/Users/${named.body.id}`)).body.displayName).toBe("Żółć 𝄞 名前");
  });

  test("3.2, 3.5.1: PUT makes nothing", async () => {
    const id = "00000000-0000-4000-8000-000000000000";
    const answer = await door.request("PUT", `/Users/${id}`, { body: { schemas: [USER], userName: "from-put" } });
    expect([answer.status, answer.body.schemas]).toEqual([404, [ERROR]]);
    expect((await get('/Users?filter=userName eq "from-put"')).body.totalResults).toBe(0);
  });

  test("3.4.2: an empty answer is a list, and unknown parameters are ignored", async () => {
    const answer = await get('/Users?filter=userName eq "nobody"&unheard=of');
    expect([answer.status, answer.body.schemas, answer.body.totalResults]).toEqual([200, [LIST], 0]);
  });

  test("3.5.1: PUT needs what is required, and ignores what is read-only", async () => {
    const { body } = await post({ userName: "put" });
    const refused = await door.request("PUT", `/Users/${body.id}`, { body: { schemas: [USER], title: "T" } });
    expect([refused.status, refused.body.scimType]).toEqual([400, "invalidValue"]);
    const put = await door.request("PUT", `/Users/${body.id}`, {
      body: { schemas: [USER], id: "other", userName: "put", meta: {}, groups: [{ value: "x" }] },
    });
    expect([put.status, put.body.id, put.body.groups]).toEqual([200, body.id, undefined]);
  });

  test("3.5.2: a patch with attributes asked for is answered with them", async () => {
    const { body } = await post({ userName: "asked", nickName: "N" });
    const user = await door.request("PATCH", `/Users/${body.id}?attributes=nickName`, {
      body: { schemas: [PATCH_OP], Operations: [{ op: "replace", path: "nickName", value: "M" }] },
    });
    expect([user.status, user.body]).toEqual([200, { schemas: [USER], id: body.id, nickName: "M" }]);
    const { body: group } = await door.request("POST", "/Groups", { body: { schemas: [GROUP], displayName: "Asked" } });
    const asked = await door.request("PATCH", `/Groups/${group.id}?attributes=displayName`, {
      body: { schemas: [PATCH_OP], Operations: [{ op: "add", path: "members", value: [{ value: body.id }] }] },
    });
    expect([asked.status, asked.body.displayName]).toEqual([200, "Asked"]);
  });

  test("3.5.2: what another operation needs is refused by its own name", async () => {
    const { body } = await post({ userName: "refusals" });
    const refusal = async (operation: object) => (await patch(body.id, [operation])).body.scimType;
    expect(await refusal({ op: "remove" })).toBe("noTarget");
    expect(await refusal({ op: "add", path: "title" })).toBe("invalidValue");
    expect(await refusal({ op: "remove", path: "userName" })).toBe("mutability");
    expect(await refusal({ op: "replace", path: "id", value: "x" })).toBe("mutability");
    expect(await refusal({ op: "replace", path: "emails[", value: "x" })).toBe("invalidPath");
    expect(await refusal({ op: "move", path: "title", value: "x" })).toBe("invalidSyntax");
  });

  test("3.5.2: operations are carried out in their order", async () => {
    const { body } = await post({ userName: "in-order", title: "Old" });
    const { body: after } = await patch(body.id, [
      { op: "remove", path: "title" },
      { op: "add", path: "title", value: "Middle" },
      { op: "replace", path: "title", value: "New" },
      { op: "add", path: "nickName", value: "N" },
      { op: "remove", path: "nickName" },
    ]);
    expect([after.title, after.nickName]).toEqual(["New", undefined]);
  });

  test("3.6: a deleted resource is gone for every method and from every list, and its name is free", async () => {
    const { body } = await post({ userName: "gone" });
    expect((await door.request("DELETE", `/Users/${body.id}`)).status).toBe(204);
    for (const [method, sent] of [
      ["GET"],
      ["PUT", { schemas: [USER], userName: "gone" }],
      ["PATCH", { schemas: [PATCH_OP], Operations: [{ op: "add", path: "title", value: "T" }] }],
      ["DELETE"],
    ] as const) {
      expect((await door.request(method, `/Users/${body.id}`, { body: sent })).status).toBe(404);
    }
    expect((await get('/Users?filter=userName eq "gone"')).body.totalResults).toBe(0);
    expect((await post({ userName: "gone" })).status).toBe(201);
  });

  test.each([
    ["application/scim+json", "application/scim+json"],
    ["*/*", "application/scim+json"],
    ["application/json, text/plain, */*", "application/scim+json"],
    ["application/json, application/scim+json;q=0.9", "application/scim+json"],
    ["application/json", "application/json"],
    ["text/html", "application/scim+json"],
  ])("3.8: JSON is answered whatever a client accepts: %s", async (Accept, type) => {
    for (const path of ["/Users?count=0", "/Users/nobody"]) {
      const answer = await get(path, { Accept });
      expect([answer.status < 500, answer.headers["content-type"]]).toEqual([true, `${type}; charset=utf-8`]);
    }
  });

  test("3.13: another version of the protocol is not there", async () => {
    expect((await door.request("GET", "/scim/v1/Users")).status).toBe(404);
  });
});

describe("RFC 9865: cursors", () => {
  const list = async (query: string) => (await get(`/Users?${query}`)).body;
  const names = (body: { Resources: { userName: string }[] }) => body.Resources.map(({ userName }) => userName);

  beforeAll(async () => {
    for (const at of [5, 2, 4, 1, 3]) await post({ userName: `cursor-${at}`, title: "Cursor" });
  });
  const filter = 'filter=title eq "Cursor"&sortBy=userName&count=2';

  test("2: pages follow one another, sorted, to the last one, which has no next", async () => {
    const first = await list(`${filter}&cursor=`);
    expect([names(first), first.totalResults, first.previousCursor]).toEqual([["cursor-1", "cursor-2"], 5, undefined]);
    const second = await list(`${filter}&cursor=${first.nextCursor}`);
    expect(names(second)).toEqual(["cursor-3", "cursor-4"]);
    const last = await list(`${filter}&cursor=${second.nextCursor}`);
    expect([names(last), last.nextCursor]).toEqual([["cursor-5"], undefined]);
    expect(names(await list(`${filter}&cursor=${last.previousCursor}`))).toEqual(["cursor-3", "cursor-4"]);
  });

  test("2: a cursor needs no encoding in a URL", async () => {
    expect((await list(`${filter}&cursor=`)).nextCursor).toMatch(/^[A-Za-z0-9._~-]+$/);
  });

  test("2.1: a made-up cursor, another list's and an old one are refused as what they are", async () => {
    const { nextCursor } = await list(`${filter}&cursor=`);
    const refusal = async (query: string) => {
      const { status, body } = await get(`/Users?${query}`);
      return [status, body.scimType];
    };
    expect(await refusal(`${filter}&cursor=made-up`)).toEqual([400, "invalidCursor"]);
    expect(await refusal(`filter=title pr&count=2&cursor=${nextCursor}`)).toEqual([400, "invalidCursor"]);
    expect(await refusal("cursor=&count=-1")).toEqual([400, "invalidCount"]);
    expect(await refusal("cursor=&count=many")).toEqual([400, "invalidCount"]);
    now = new Date(now.getTime() + 3601 * 1000);
    expect(await refusal(`${filter}&cursor=${nextCursor}`)).toEqual([400, "expiredCursor"]);
  });

  test("2.3: without a word about paging, pages have an index", async () => {
    const body = await list('filter=title eq "Cursor"');
    expect([body.startIndex, body.nextCursor]).toEqual([1, undefined]);
  });

  test("3: a search by POST takes and gives cursors", async () => {
    const search = async (cursor: string) =>
      (
        await door.request("POST", "/Users/.search", {
          body: { schemas: [SEARCH], filter: 'title eq "Cursor"', sortBy: "userName", count: 3, cursor },
        })
      ).body;
    const first = await search("");
    expect(names(first)).toEqual(["cursor-1", "cursor-2", "cursor-3"]);
    expect(names(await search(first.nextCursor))).toEqual(["cursor-4", "cursor-5"]);
  });
});
