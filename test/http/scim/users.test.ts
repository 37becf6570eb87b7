import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openDoor, type Door } from "./door.ts";

const CORE = "urn:ietf:params:scim:schemas:core:2.0:User";
const ERROR = "urn:ietf:params:scim:api:messages:2.0:Error";

let door: Door;
beforeAll(async () => {
  door = await openDoor();
});
afterAll(() => door.close());

const create = async (userName: string, more: object = {}) => {
  const answer = await door.request("POST", "/Users", { body: { schemas: [CORE], userName, ...more } });
  expect([answer.status, answer.text]).toEqual([201, expect.any(String)]);
  return answer;
};
const list = (query: Record<string, string>) => door.request("GET", `/Users?${new URLSearchParams(query)}`);
const events = async (subject: string) =>
  (await door.db.pool.query("select name, actor, correlation_id from audit_events where subject_id = $1 order by id", [subject])).rows;

describe("M1: the life of a user", () => {
  test("M1: created with Location, ETag and its own representation; read, replaced, patched, deleted", async () => {
    const created = await create("life@example.com", {
      externalId: "e-1",
      name: { givenName: "Li", familyName: "Fe" },
      emails: [{ value: "life@example.com", primary: true }],
    });
    const { id } = created.body;
    expect(created.headers["location"]).toBe(created.body.meta.location);
    expect(created.headers["location"]).toMatch(new RegExp(`^http://127\\.0\\.0\\.1:\\d+/scim/v2/Users/${id}$`));
    expect(created.headers["content-type"]).toBe("application/scim+json; charset=utf-8");
    expect(created.headers["etag"]).toBe(created.body.meta.version);
    expect(created.body).toMatchObject({
      schemas: [CORE],
      userName: "life@example.com",
      externalId: "e-1",
      active: true,
      meta: { resourceType: "User" },
    });

    const replaced = await door.request("PUT", `/Users/${id}`, { body: { schemas: [CORE], userName: "life@example.com", title: "Chief" } });
    expect(replaced.status).toBe(200);
    expect(replaced.body).toMatchObject({ id, title: "Chief" });
    expect(replaced.body.name).toBeUndefined();
    expect(replaced.body.meta.created).toBe(created.body.meta.created);

    expect((await door.request("DELETE", `/Users/${id}`)).status).toBe(204);
    for (const [method, body] of [
      ["GET", undefined],
      ["DELETE", undefined],
      ["PUT", { schemas: [CORE], userName: "x" }],
      ["PATCH", { Operations: [{ op: "add", path: "title", value: "x" }] }],
    ] as const) {
      const gone = await door.request(method, `/Users/${id}`, { body });
      expect([method, gone.status, gone.body.schemas, gone.body.status]).toEqual([method, 404, [ERROR], "404"]);
    }
    expect((await list({ filter: 'userName eq "life@example.com"' })).body.totalResults).toBe(0);
    expect((await create("life@example.com")).body.active).toBe(true);
  });

  test("invariant 8: a write is audited with the token as actor and the request's id", async () => {
    const answer = await door.request("POST", "/Users", {
      body: { schemas: [CORE], userName: "audited" },
      headers: { "X-Request-Id": "req-42" },
    });
    expect(answer.headers["x-request-id"]).toBe("req-42");
    expect(await events(answer.body.id)).toContainEqual({ name: "person.joined", actor: "token:test", correlation_id: "req-42" });
  });

  test("invariant 8: a password that a client sends is stored nowhere", async () => {
    const { body } = await create("secretive", { password: "correct horse battery" });
    await door.request("PATCH", `/Users/${body.id}`, {
      body: { Operations: [{ op: "replace", path: "password", value: "correct horse battery" }] },
    });
    const { rows } = await door.db.pool.query(
      "select (select count(*) from accounts a where a::text like '%correct horse%') + (select count(*) from people p where p::text like '%correct horse%') + (select count(*) from audit_events e where e::text like '%correct horse%') as held",
    );
    expect(rows[0].held).toBe(0);
    expect(body.password).toBeUndefined();
  });

  test("M1: a name that is taken is a conflict, and a bad resource changes nothing", async () => {
    await create("taken@example.com");
    const again = await door.request("POST", "/Users", { body: { schemas: [CORE], userName: "TAKEN@example.com" } });
    expect([again.status, again.body.scimType]).toEqual([409, "uniqueness"]);
    expect(again.body.detail).toContain("userName is `TAKEN@example.com`");
    const { body: other } = await create("other@example.com");
    const renamed = await door.request("PUT", `/Users/${other.id}`, { body: { schemas: [CORE], userName: "taken@example.com" } });
    expect([renamed.status, renamed.body.detail]).toEqual([409, expect.stringContaining("taken@example.com")]);
    const before = (await list({ count: "0" })).body.totalResults;
    const bad = await door.request("POST", "/Users", { body: { schemas: [CORE], displayName: "No name" } });
    expect([bad.status, bad.body.scimType, bad.body.detail]).toEqual([400, "invalidValue", expect.stringContaining("userName")]);
    expect((await list({ count: "0" })).body.totalResults).toBe(before);
  });

  test("M1: a patch that changes nothing leaves the version alone; one that fails half-way changes nothing", async () => {
    const { body } = await create("still@example.com", {
      title: "T",
      emails: [{ value: "still@example.com", type: "work", primary: true }],
    });
    const same = await door.request("PATCH", `/Users/${body.id}`, {
      body: {
        Operations: [
          { op: "Replace", path: "title", value: "T" },
          { op: "add", path: "emails", value: [{ value: "still@example.com", type: "work" }] },
          { op: "replace", value: { active: "True" } },
          { op: "remove", path: "nickName" },
        ],
      },
    });
    expect([same.status, same.headers["etag"]]).toEqual([200, body.meta.version]);
    const failed = await door.request("PATCH", `/Users/${body.id}`, {
      body: {
        Operations: [
          { op: "replace", path: "title", value: "U" },
          { op: "replace", path: "id", value: "x" },
        ],
      },
    });
    expect([failed.status, failed.body.scimType]).toEqual([400, "mutability"]);
    expect((await door.request("GET", `/Users/${body.id}`)).body).toMatchObject({ title: "T", meta: { version: body.meta.version } });
  });

  test.each<[string, object]>([
    ["remove", { op: "remove", path: "active" }],
    ["null", { op: "replace", path: "active", value: null }],
    ["an empty text", { op: "replace", value: { active: "" } }],
  ])("M1: nobody is brought back by taking `active` away (%s)", async (kind, operation) => {
    const { body } = await create(`gone-by-${kind.replaceAll(" ", "-")}@example.com`);
    const url = `/Users/${body.id}`;
    const patch = (...Operations: object[]) => door.request("PATCH", url, { body: { Operations } });
    expect((await patch({ op: "replace", path: "active", value: false })).body.active).toBe(false);
    const { status, body: after } = await patch(operation, { op: "replace", path: "title", value: "T" });
    expect([status, after.active, after.title]).toEqual([200, false, "T"]);
    const put = await door.request("PUT", url, { body: { userName: after.userName, active: null } });
    expect([put.status, put.body.active]).toEqual([200, false]);
    expect((await door.request("GET", url)).body.active).toBe(false);
  });

  test("M1: If-Match refuses a version that has moved on, If-None-Match spares an answer", async () => {
    const { body, headers } = await create("tagged@example.com");
    const url = `/Users/${body.id}`;
    const etag = String(headers["etag"]);
    expect((await door.request("GET", url, { headers: { "If-None-Match": etag } })).status).toBe(304);
    const patch = (tag: string, title: string) =>
      door.request("PATCH", url, { body: { Operations: [{ op: "replace", path: "title", value: title }] }, headers: { "If-Match": tag } });
    expect((await patch(etag, "A")).status).toBe(200);
    const stale = await patch(etag, "B");
    expect([stale.status, stale.body.status]).toEqual([412, "412"]);
    expect((await patch("*", "C")).body.title).toBe("C");
    expect((await door.request("GET", url, { headers: { "If-None-Match": etag } })).status).toBe(200);
    expect((await door.request("DELETE", url, { headers: { "If-Match": etag } })).status).toBe(412);
  });

  test("RFC 9110 13.1.2: what If-None-Match names is not changed", async () => {
    const { body, headers } = await create("only-if-other@example.com");
    const etag = String(headers["etag"]);
    const { body: group } = await door.request("POST", "/Groups", { body: { displayName: "Only if other" } });
    const change = (path: string) => ({ Operations: [{ op: "add", path, value: path === "title" ? "T" : [{ value: body.id }] }] });
    for (const tag of ["*", `"other", ${etag}`]) {
      const conditional = { headers: { "If-None-Match": tag } };
      expect((await door.request("PUT", `/Users/${body.id}`, { body: { userName: body.userName }, ...conditional })).status).toBe(412);
      expect((await door.request("PATCH", `/Users/${body.id}`, { body: change("title"), ...conditional })).status).toBe(412);
      expect((await door.request("DELETE", `/Users/${body.id}`, conditional)).status).toBe(412);
    }
    const members = { body: change("members"), headers: { "If-None-Match": "*" } };
    expect((await door.request("PATCH", `/Groups/${group.id}`, members)).status).toBe(412);
    expect((await door.request("GET", `/Users/${body.id}`)).body.meta.version).toBe(etag);
    const other = { body: change("title"), headers: { "If-None-Match": '"other"' } };
    expect((await door.request("PATCH", `/Users/${body.id}`, other)).body.title).toBe("T");
  });

  test("RFC 7644 3.14: If-None-Match spares no answer whose groups have changed since, though the version has not", async () => {
    const { body, headers } = await create("cached@example.com");
    const held = (query = "") =>
      door.request("GET", `/Users/${body.id}${query}`, { headers: { "If-None-Match": String(headers["etag"]) } });
    expect((await held()).status).toBe(304);
    const made = await door.request("POST", "/Groups", { body: { displayName: "joined later", members: [{ value: body.id }] } });
    const joined = await held();
    expect([joined.status, joined.body.groups?.length]).toEqual([200, 1]);
    expect((await held("?excludedAttributes=groups")).status).toBe(304);
    expect((await held("?attributes=userName")).status).toBe(304);
    expect((await held("?attributes=groups.value")).status).toBe(200);
    // As though all that had been long ago, and the name were what changes now.
    await door.db.pool.query("update memberships set recorded_from = recorded_from - interval '1 hour' where person_id = $1", [body.id]);
    await door.db.pool.query("update groups set modified_at = modified_at - interval '1 hour' where id = $1", [made.body.id]);
    expect((await held()).status).toBe(304);
    await door.request("PUT", `/Groups/${made.body.id}`, { body: { displayName: "renamed" } });
    const renamed = await held();
    expect([renamed.status, renamed.body.groups?.[0]?.display]).toEqual([200, "renamed"]);
    await door.request("DELETE", `/Groups/${made.body.id}`);
    const left = await held();
    expect([left.status, left.body.groups]).toEqual([200, undefined]);
    const access = "urn:ietf:params:scim:schemas:extension:rollcall:access:2.0:User:roles";
    expect((await held(`?attributes=${access}`)).status).toBe(200);
  });

  test("M1: writers at once each take the row in turn", async () => {
    const { body } = await create("busy@example.com");
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        door.request("PATCH", `/Users/${body.id}`, {
          body: { Operations: [{ op: "add", path: `emails[type eq "t${at}"].value`, value: `busy${at}@example.com` }] },
        }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect((await door.request("GET", `/Users/${body.id}`)).body.emails).toHaveLength(8);
  });
});

describe("M1: lists", () => {
  beforeAll(async () => {
    for (const [at, name] of ["delta", "Alpha", "charlie", "bravo", "echo"].entries())
      await create(`list-${name}`, { title: "Lister", ...(at === 2 ? {} : { nickName: name }) });
  });
  const names = (answer: { body: { Resources: { userName: string }[] } }) =>
    answer.body.Resources.map(({ userName }) => userName.replace("list-", ""));
  const filter = 'title eq "lister"';

  test("M1: pages neither repeat nor lose anybody, and end", async () => {
    const pages = await Promise.all(["1", "3", "5", "6"].map((startIndex) => list({ filter, startIndex, count: "2" })));
    expect(pages.map(({ body }) => [body.totalResults, body.startIndex, body.itemsPerPage])).toEqual([
      [5, 1, 2],
      [5, 3, 2],
      [5, 5, 1],
      [5, 6, 0],
    ]);
    expect(pages.flatMap(names)).toEqual(["delta", "Alpha", "charlie", "bravo", "echo"]);
  });

  test("M1: count and startIndex out of range are read as RFC 7644 says", async () => {
    expect((await list({ filter, count: "0" })).body).toMatchObject({ totalResults: 5, itemsPerPage: 0, Resources: [] });
    expect((await list({ filter, count: "-3" })).body.itemsPerPage).toBe(0);
    expect((await list({ filter, startIndex: "-1", count: "100000" })).body).toMatchObject({ startIndex: 1, itemsPerPage: 5 });
    expect((await list({ filter, count: "many" })).body).toMatchObject({ status: "400", scimType: "invalidValue" });
  });

  test("M1: sorted without case, those without a value last, or first when descending", async () => {
    expect(names(await list({ filter, sortBy: "userName" }))).toEqual(["Alpha", "bravo", "charlie", "delta", "echo"]);
    expect(names(await list({ filter, sortBy: "nickName", sortOrder: "descending" }))).toEqual([
      "charlie",
      "echo",
      "delta",
      "bravo",
      "Alpha",
    ]);
    expect(names(await list({ filter, sortBy: "nickName" })).at(-1)).toBe("charlie");
    expect(names(await list({ filter, sortBy: "meta.created", sortOrder: "DESCENDING" }))[0]).toBe("echo");
    for (const sortBy of ["emails", "emails.value", "groups.display", "name.familyName", "id", "active"])
      expect((await list({ filter, sortBy })).status).toBe(200);
    expect((await list({ filter, sortBy: "wages" })).body).toMatchObject({ status: "400", scimType: "invalidPath" });
  });

  test("M1: POST .search asks the same", async () => {
    const answer = await door.request("POST", "/Users/.search", {
      body: {
        schemas: ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        filter,
        sortBy: "userName",
        attributes: ["userName"],
        count: 1,
        startIndex: 2,
      },
    });
    expect(answer.body).toMatchObject({ totalResults: 5, Resources: [{ userName: "list-bravo" }] });
    expect(Object.keys(answer.body.Resources[0]).sort()).toEqual(["id", "schemas", "userName"]);
  });

  test("M1: a filter that can't be read is refused with its place", async () => {
    const answer = await list({ filter: "title eq lister" });
    expect([answer.status, answer.body.scimType, answer.body.detail]).toEqual([
      400,
      "invalidFilter",
      expect.stringContaining("position 10"),
    ]);
  });
});
