import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { apiRoutes } from "../../../src/http/api/routes.ts";
import { TAGS } from "../../../src/http/api/tags.ts";
import type { Route } from "../../../src/http/api/route.ts";
import { openApi, type ApiDoor } from "./api-door.ts";
import { isTakenAsPublished } from "./conformance.ts";

let door: ApiDoor;
beforeAll(async () => {
  door = await openApi();
});
afterAll(() => door?.close());

const nameOf = ({ method, path }: Route) => `${method.toUpperCase()} ${path}`;

describe("the administration API's frame", () => {
  test("says who calls and what they may do; without a token, or with another door's, nothing", async () => {
    const me = await door.request("GET", "/me").expect(200);
    expect(me.body).toMatchObject({ actor: "token:test", personId: null });
    const refused = await door.request("GET", "/me", { token: null }).expect(401);
    expect(refused.headers).toMatchObject({
      "content-type": expect.stringContaining("application/problem+json"),
      "www-authenticate": 'Bearer realm="Rollcall"',
    });
    expect(refused.body).toMatchObject({ status: 401, code: "unauthenticated", type: "/api/docs#problem-unauthenticated" });
    await door.request("GET", "/me", { token: await door.newToken({ scope: "scim" }) }).expect(403);
  });

  test("problems name every field (RFC 9457)", async () => {
    const { body } = await door.request("POST", "/units", { body: { name: "", typ: "x", parentId: "nobody" } }).expect(422);
    expect(body.errors.map(({ field }: { field: string }) => field).sort()).toEqual(["name", "parentId", "typ"]);
    await door.request("POST", "/units", { body: "text", headers: { "Content-Type": "text/plain" } }).expect(415);
    const colour = await door.request("GET", "/units?colour=red").expect(422);
    expect(colour.body.errors).toEqual([{ field: "colour", detail: expect.stringMatching(/^is not known here; known are .*\bq\b/) }]);
    await door.request("GET", "/me?colour=red").expect(422);
    const unnamed = await door.request("GET", `/people/${await door.newPerson()}/explain?permission=register.keys.view`).expect(422);
    expect(unnamed.body.detail).toBe("unit: is needed, in the query");
    await door.request("GET", "/nothing").expect(404);
    const method = await door.request("DELETE", "/me").expect(405);
    expect(method.headers["allow"]).toBe("GET");
    await door.request("POST", "/units", { body: { name: "a".repeat(2_000_000) } }).expect(413);
    await door.request("GET", "/units?q=%00").expect(422);
  });

  test("a create that is sent again with its key creates once, also at the same time; another request with that key is refused", async () => {
    const send = (name: string) => door.request("POST", "/units", { body: { name }, headers: { "Idempotency-Key": "k-1" } });
    const answers = await Promise.all([send("North"), send("North"), send("North")]);
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers["idempotency-replayed"] === "true")).toHaveLength(2);
    await send("South").expect(409);
  });

  test("what makes transactions of its own is done once for a key, too; meanwhile who repeats it is asked to come again, and failed it can be tried again", async () => {
    const top = await door.newUnit({ name: "Once", type: "organization" });
    const personId = await door.newPerson({ unitId: top });
    const csv = Buffer.from(`userName,units\nonce,${top}\n`);
    const sent: [string, string, unknown, Record<string, string>][] = [
      ["/people/imports", "import", csv, { "Content-Type": "text/csv" }],
      [`/people/${personId}/temporary-password`, "password", { reason: "no mail on the shop floor" }, {}],
      ["/previews", "preview", { kind: "unitMove", unitId: top, parentId: null }, {}],
      ["/rules/preview", "rule", { name: "Once", condition: "person.active", role: "rollcall-auditor", unit: "ONCE" }, {}],
      ["/bulk/each", "each", { operations: [{ method: "post", path: "/units", body: { name: "Each once" } }] }, {}],
    ];
    for (const [path, key, body, headers] of sent) {
      const send = (given = body) => door.request("POST", path, { body: given, headers: { ...headers, "Idempotency-Key": key } });
      const first = await send();
      expect([path, first.status]).toEqual([path, path === "/bulk/each" ? 200 : 201]);
      const again = await send();
      expect([path, again.status, again.body, again.headers["idempotency-replayed"]]).toEqual([path, first.status, first.body, "true"]);
      await send(Buffer.isBuffer(body) ? Buffer.from("userName\nother\n") : { ...(body as object), reason: "another" }).expect(409);
    }
    const { rows } = await door.db.pool.query("select count(*)::int as made from units where name = 'Each once'");
    expect(rows).toEqual([{ made: 1 }]);
    const preview = (body: unknown) => door.request("POST", "/previews", { body, headers: { "Idempotency-Key": "another" } });
    const move = { kind: "unitMove", unitId: top, parentId: null };
    await preview({ ...move, unitId: personId }).expect(404);
    await door.db.pool.query(
      "insert into idempotency_keys (caller, key, request_hash, status, answer, created_at) select caller, 'another', request_hash, 0, '', $1 from idempotency_keys where key = 'preview'",
      [door.clock.now()],
    );
    const { body: busy, headers } = await preview(move).expect(503);
    expect([busy.code, busy.field, headers["retry-after"]]).toEqual(["busy", "Idempotency-Key", "2"]);
    // Its process died.
    await door.db.pool.query("update idempotency_keys set created_at = $1 where key = 'another'", [
      new Date(door.clock.now().getTime() - 700_000),
    ]);
    await preview(move).expect(201);
  });

  test("an If-Match that nothing would be compared with is refused rather than passed over", async () => {
    const personId = await door.newPerson();
    const headers = { "If-Match": '"7"' };
    const reason = { reason: "x" };
    const { body } = await door.request("POST", `/people/${personId}/sessions/end`, { body: reason, headers }).expect(412);
    expect(body).toMatchObject({ field: "If-Match", code: "precondition_failed" });
    await door.request("POST", `/people/${personId}/sessions/end`, { body: reason, headers: { "If-Match": "*" } }).expect(200);
  });

  test("a change needs the version that was read; a lost update is refused", async () => {
    const { body: unit, headers } = await door.request("POST", "/units", { body: { name: "East" } }).expect(201);
    expect(headers["location"]).toBe(`/api/v1/units/${unit.id}`);
    const at = `/units/${unit.id}`;
    const read = await door.request("GET", at).expect(200);
    await door.request("PATCH", at, { body: { name: "Far East" } }).expect(412);
    const etag = String(read.headers["etag"]);
    await door.request("GET", at, { headers: { "If-None-Match": etag } }).expect(304);
    await door.request("PATCH", at, { body: { name: "Far East" }, headers: { "If-Match": etag } }).expect(200);
    await door.request("PATCH", at, { body: { name: "Near East" }, headers: { "If-Match": etag } }).expect(412);
    await door.request("PATCH", at, { body: { name: "Middle East" }, headers: { "If-Match": "*" } }).expect(200);
  });

  test("who has read something is told when it shows something else, though nobody changed it (RFC 9110 section 13.1.2)", async () => {
    const unitId = await door.newUnit();
    const { personId } = await door.newHolder({ role: "rollcall-auditor", unitId });
    const { body: grants } = await door.request("GET", `/grants?person=${personId}`).expect(200);
    const [unit, grant] = [`/units/${unitId}`, `/grants/${grants.items[0].id}`];
    const tags = async () => {
      const headers = await Promise.all([unit, grant].map(async (at) => (await door.request("GET", at).expect(200)).headers));
      return headers.map((each) => String(each["etag"]));
    };
    const [ofUnit, ofGrant] = await tags();
    const again = (at: string, tag: string | undefined) => door.request("GET", at, { headers: { "If-None-Match": tag ?? "" } });
    await again(unit, ofUnit).expect(304);
    await again(grant, ofGrant).expect(304);
    await door.newPerson({ unitId });
    await door.request("POST", `/people/${personId}/suspend`, { body: { reason: "x" } }).expect(200);
    expect((await again(unit, ofUnit).expect(200)).body.people).toBe(1);
    expect((await again(grant, ofGrant).expect(200)).body.suspended).toBe(true);
    // Nobody's change is lost by saving over that.
    await door.request("PATCH", unit, { body: { name: "Fuller" }, headers: { "If-Match": String(ofUnit) } }).expect(200);
    await door.request("PATCH", unit, { body: { name: "Fullest" }, headers: { "If-Match": String(ofUnit) } }).expect(412);
  });

  test("invariant 7: a delegated administrator reads and changes the own subtree, and learns nothing of others", async () => {
    const top = await door.newUnit({ name: "Company", type: "organization" });
    const own = await door.newUnit({ name: "Own", parentId: top });
    const below = await door.newUnit({ name: "Below", parentId: own });
    const beside = await door.newUnit({ name: "Beside", parentId: top });
    const { token } = await door.newHolder({ role: "rollcall-unit-administrator", unitId: own });
    const list = await door.request("GET", "/units", { token }).expect(200);
    expect(list.body.items.map(({ id }: { id: string }) => id).sort()).toEqual([own, below].sort());
    await door.request("GET", `/units/${below}`, { token }).expect(200);
    for (const id of [beside, top]) await door.request("GET", `/units/${id}`, { token }).expect(404);
    const headers = { "If-Match": "*" };
    await door.request("PATCH", `/units/${below}`, { token, headers, body: { parentId: beside } }).expect(404);
    await door.request("PATCH", `/units/${below}`, { token, headers, body: { parentId: null } }).expect(403);
    await door.request("POST", "/units", { token, body: { name: "New", parentId: beside } }).expect(404);
    await door.request("POST", "/units", { token, body: { name: "New", parentId: below } }).expect(201);
    const narrow = await door.newToken({ permissions: ["rollcall.units.view"], unitIds: [below] });
    await door.request("GET", `/units/${below}`, { token: narrow }).expect(200);
    await door.request("GET", `/units/${own}`, { token: narrow }).expect(404);
    await door.request("PATCH", `/units/${below}`, { token: narrow, headers, body: { name: "B" } }).expect(403);
  });

  test("pages go on where the last one ended; a forged cursor is refused", async () => {
    const names = [];
    let next: string | null = "";
    while (next !== null) {
      const { body }: { body: { items: { name: string }[]; next: string | null } } = await door
        .request("GET", `/units?limit=2${next && `&cursor=${next}`}`)
        .expect(200);
      names.push(...body.items.map(({ name }) => name));
      next = body.next;
    }
    expect(names).toEqual([...names].sort((a, b) => a.localeCompare(b)));
    expect(new Set(names).size).toBe(names.length);
    await door.request("GET", "/units?cursor=bm9uZQ").expect(422);
  });

  test("every route says more than its summary, and what a description names is there", () => {
    const routes = apiRoutes();
    const known = new Set(routes.map(({ method, path }) => `${method.toUpperCase()} ${path}`));
    const withoutOne = routes.filter(({ description = "", summary }) => description.length < 40 || description === summary);
    expect(withoutOne.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
    const named = routes.flatMap(({ description = "" }) =>
      [...description.matchAll(/`(GET|POST|PUT|PATCH|DELETE) (\/[^?`]*)/g)].map(([, method, path]) => `${method} ${path}`),
    );
    expect(named.filter((each) => !known.has(each))).toEqual([]);
    expect(named.length).toBeGreaterThan(10);
  });

  test("the OpenAPI document lists every route, and its page is readable without a script", async () => {
    const { body } = await door.request("GET", "/openapi.json", { token: null }).expect(200);
    expect(body).toMatchObject({ openapi: "3.1.0", paths: { "/units": { post: { operationId: "postUnits" } } } });
    expect(body.components.schemas).toHaveProperty("Unit");
    const page = await fetch(`${door.url}/api/docs`);
    const text = await page.text();
    expect(text).toContain("/units/{id}");
    expect(text).not.toContain("<script");
    expect(text).toContain(`<code>{\n  &quot;displayName&quot;: &quot;Sales team&quot;`);
  });

  test("every noun is described, in an order of its own; every body has an example, which its route and its published schema take", () => {
    const routes = apiRoutes();
    expect([...new Set(routes.map(({ tag }) => tag))].sort()).toEqual(TAGS.map(({ name }) => name).sort());
    const takers = routes.filter(({ body }) => body !== undefined);
    expect(takers.filter(({ example }) => example === undefined).map(nameOf)).toEqual([]);
    expect(takers.filter(({ body, example }) => !body?.safeParse(example).success).map(nameOf)).toEqual([]);
    expect(takers.filter((route) => !isTakenAsPublished(route, route.example)).map(nameOf)).toEqual([]);
  });
});
