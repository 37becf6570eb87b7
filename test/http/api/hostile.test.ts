import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { openApiOf, type OpenApiDocument, type Operation } from "../../../src/http/api/openapi.ts";
import { apiRoutes } from "../../../src/http/api/routes.ts";
import { makeRequest } from "../../../src/access/requests.ts";
import { silentLog } from "../../helpers/database.ts";
import { openApi, type ApiDoor } from "./api-door.ts";
import { hostileBody, HOSTILE_TEXTS, tooDeep } from "./hostile-input.ts";

const ROUTES = apiRoutes();
const DOCUMENT: OpenApiDocument = openApiOf(ROUTES, { version: "0.0.0" });
/** Longest wait for an answer, in milliseconds: a hang, not slowness, is what it finds. */
const HANG_MS = 60_000;

let door: ApiDoor;
/** Things that are there, by the path's first word. */
let there: Record<string, string>;
const failures: unknown[] = [];

beforeAll(async () => {
  door = await openApi();
  silentLog.error = (...logged: unknown[]) => void failures.push(logged[0]);
  const top = await door.newUnit({ name: "Company", type: "organization" });
  const unit = await door.newUnit({ name: "Sales", parentId: top, code: "SALES" });
  const person = await door.newPerson({ unitId: unit });
  const made = async (path: string, body: object) => (await door.request("POST", path, { body }).expect(201)).body as { id: string };
  const grant = await made("/grants", { personId: person, role: "rollcall-access-checker", unitId: unit, reason: "sample" });
  const token = await made("/tokens", { for: "service", name: "sample", permissions: ["rollcall.units.view"], unitIds: null });
  await made("/roles", { key: "sample", name: "Sample" });
  await made("/attributes", { key: "sample", type: "string" });
  const group = await made("/groups", { displayName: "Sample" });
  const request = await door.work((work) =>
    makeRequest(work, { personId: person, requestedBy: person, role: "rollcall-auditor", unitId: unit, reason: "sample" }),
  );
  there = {
    people: person,
    units: unit,
    groups: group.id,
    grants: grant.id,
    tokens: token.id,
    roles: "sample",
    attributes: "sample",
    requests: request,
  };
});
afterAll(() => door?.close());

interface Sent {
  method: string;
  path: string;
  body?: string | undefined;
  headers?: Record<string, string>;
}

/** The answer's status. Throws on a hang and on what nobody foresaw. */
async function send({ method, path, body, headers = {} }: Sent): Promise<number> {
  const seen = failures.length;
  const response = await fetch(`${door.url}/api/v1${path}`, {
    method: method.toUpperCase(),
    headers: { Authorization: `Bearer ${door.token}`, "If-Match": "*", "Content-Type": "application/json", ...headers },
    signal: AbortSignal.timeout(HANG_MS),
    ...(body === undefined ? {} : { body }),
  });
  const { status } = response;
  const text = await response.text();
  if (status === 500 || failures.length > seen)
    throw new Error(`${method} ${path.slice(0, 300)} ${body?.slice(0, 600) ?? ""} answered ${status} ${text.slice(0, 300)}`, {
      cause: failures.at(-1),
    });
  return status;
}

/** Well-formed in UTF-8, whatever it is. */
const encoded = (text: string) => encodeURIComponent(Buffer.from(text).toString());

function pathOf(template: string): fc.Arbitrary<string> {
  const noun = template.split("/")[1] ?? "";
  const names = [...template.matchAll(/\{\w+\}/g)].map(([name]) => name);
  const value = fc.oneof(
    { weight: 16, arbitrary: fc.constant(there[noun] ?? "1") },
    { weight: 2, arbitrary: fc.constantFrom(...HOSTILE_TEXTS, "a".repeat(5000)).map(encoded) },
    { weight: 1, arbitrary: fc.constantFrom("%00", "%ff", "%", "%2e%2e%2f", "%ED%A0%80") },
  );
  return fc
    .tuple(...names.map(() => value))
    .map((values) => names.reduce((path, name, index) => path.replace(name, () => values[index] || "%20"), template));
}

function queryOf({ parameters }: Operation): fc.Arbitrary<string> {
  const known = parameters.filter((each) => each.in === "query").map(({ name }) => name);
  const name = fc.constantFrom(...known, ...known, ...known, "__proto__", "a[b][c]", "limit");
  const value = fc.constantFrom(
    ...HOSTILE_TEXTS,
    ...Object.values(there),
    "true",
    "1",
    "WzFlMTUsMWUxNV0",
    "WyJcdTAwMDAiLCJcdTAwMDAiXQ",
    "WzkwMDcxOTkyNTQ3NDA5OTFd",
  );
  return fc
    .array(fc.tuple(name, value), { maxLength: 2 })
    .map((pairs) => (pairs.length === 0 ? "" : `?${pairs.map(([key, each]) => `${encoded(key)}=${encoded(each)}`).join("&")}`));
}

function requestOf(template: string, method: string, operation: Operation): fc.Arbitrary<Sent> {
  const schema = operation.requestBody?.content["application/json"]?.schema;
  const body = schema
    ? hostileBody(schema, { schemas: DOCUMENT.components.schemas, ids: Object.values(there) }).map(
        (value) => JSON.stringify(value) as string | undefined,
      )
    : fc.constant(operation.requestBody ? "\u0000,\u0000\n" : undefined);
  const type = Object.keys(operation.requestBody?.content ?? {})[0] ?? "application/json";
  return fc.record({ path: pathOf(template), query: queryOf(operation), body }).map(({ path, query, body: given }) => ({
    method,
    path: path + query,
    body: given,
    headers: { "Content-Type": type.replace("*", "png") },
  }));
}

/** Every route; those that take things away come last. */
const OPERATIONS = Object.entries(DOCUMENT.paths)
  .flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })))
  .sort((first, second) => Number(first.method === "delete") - Number(second.method === "delete"));

/** A few at a time. */
async function forEach<T>(all: readonly T[], act: (one: T) => Promise<unknown>): Promise<void> {
  const left = all.values();
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (const one of left) await act(one);
    }),
  );
}

const RUNS = Number(process.env["HOSTILE_RUNS"] ?? 8);

describe("hostile input", () => {
  test("whatever is sent to whichever route is answered, and never by a failure", async () => {
    await forEach(OPERATIONS, ({ path, method, operation }) =>
      fc.assert(
        fc.asyncProperty(requestOf(path, method, operation), async (request) => void (await send(request))),
        { numRuns: RUNS, endOnFailure: true },
      ),
    );
    expect(await send({ method: "get", path: "/me" })).toBe(200);
  }, 300_000);

  test("bodies that are too deep, too large, or no JSON are refused by every route that takes one", async () => {
    const routes = OPERATIONS.filter(({ operation }) => operation.requestBody?.content["application/json"]);
    const bodies = [tooDeep(1000, "["), `{"a":${tooDeep(1000, '{"a":')}}`, "{"];
    const big = [`{"a":${tooDeep(100_000, "[")}}`, JSON.stringify({ name: "a".repeat(1024 * 1024) })];
    const sent = routes.flatMap((route, index) => [...bodies, ...(index % 10 === 0 ? big : [])].map((body) => ({ ...route, body })));
    await forEach(sent, async ({ method, path, body }) => {
      const at = path.replaceAll(/\{\w+\}/g, there[path.split("/")[1] ?? ""] ?? "1");
      const status = await send({ method, path: at, body });
      expect([method, path, body.slice(0, 10), Math.floor(status / 100)]).toEqual([method, path, body.slice(0, 10), 4]);
    });
  }, 300_000);

  test("so are fields that are too deep where anything may stand", async () => {
    const deep = tooDeep(1000, "[");
    for (const [method, path, body] of [
      ["post", "/bulk", `{"operations":[{"method":"post","path":"/units","body":${deep}}]}`],
      ["post", "/people", `{"userName":"deep","custom":{"sample":${deep}}}`],
      ["patch", `/people/${there["people"]}`, `{"custom":{"sample":${tooDeep(1000, '{"a":')}}}`],
      ["post", "/connections", `{"name":"deep","connector":"csv","settings":{"a":${deep}}}`],
    ] as const)
      expect([path, Math.floor((await send({ method, path, body })) / 100)]).toEqual([path, 4]);
  });
});

describe("what can't be kept", () => {
  const HALF = "x\ud800";

  test("text that no database has a word for is refused naming its field, wherever it stands", async () => {
    const person = there["people"] ?? "";
    const unitId = await door.newUnit();
    const asked: [string, string, unknown, string][] = [
      ["POST", "/people", { userName: "half", displayName: HALF }, "displayName"],
      ["PATCH", `/people/${person}`, { addresses: [{ streetAddress: HALF }] }, "addresses.0.streetAddress"],
      ["PATCH", `/people/${person}`, { addresses: [{ streetAddress: "a\u0000b" }] }, "addresses.0.streetAddress"],
      ["POST", `/people/${person}/suspend`, { reason: HALF }, "reason"],
      ["POST", "/attributes", { key: "half", type: "choice", choices: [HALF] }, "choices.0"],
      ["POST", "/unit-types", { key: "half", name: HALF }, "name"],
      ["POST", "/grants", { personId: person, role: "rollcall-auditor", unitId, reason: HALF }, "reason"],
      ["POST", "/tokens", { for: "service", name: HALF, permissions: ["rollcall.units.view"], unitIds: null }, "name"],
    ];
    for (const [method, path, body, field] of asked) {
      const { body: problem } = await door.request(method, path, { body, headers: { "If-Match": "*" } }).expect(422);
      expect([path, problem.field]).toEqual([path, field]);
    }
  });

  test("nor is such text taken in paths and queries; and a refusal names a field wherever one is wrong", async () => {
    const asked: [string, string, unknown, string][] = [
      ["GET", "/attributes/%00", undefined, "key"],
      ["GET", "/roles/%00/versions", undefined, "key"],
      ["GET", "/tokens?prefix=a%00", undefined, "prefix"],
      ["GET", "/connections?connector=%00", undefined, "connector"],
      ["POST", "/connections", {}, "name"],
    ];
    for (const [method, path, body, field] of asked) {
      const { body: problem } = await door.request(method, path, body === undefined ? {} : { body }).expect(422);
      expect([path, problem.field]).toEqual([path, field]);
    }
  });

  test("times outside of the calendar are refused", async () => {
    const unit = there["units"] ?? "";
    const expires = { until: "9999-12-31T23:59:59-23:59", reason: "late" };
    await door.request("POST", `/people/${there["people"]}/expire`, { body: expires }).expect(422);
    await door.request("GET", `/people/${there["people"]}/explain?permission=a.b.c&unit=${unit}&at=9999-12-31T23:59:59-23:59`).expect(422);
  });

  test("cursors that nobody was given are refused, whatever they hold", async () => {
    const id = "00000000-0000-4000-8000-000000000000";
    const places = [[2 ** 40], [2 ** 53 - 1], ["0000-01-01T00:00:00Z", id], ["a", "b"], [2 ** 31, id], ["\u0000", id]];
    const lists = OPERATIONS.filter(({ operation }) => operation.parameters.some(({ name }) => name === "cursor"));
    for (const { path } of lists)
      for (const place of places) {
        const cursor = Buffer.from(JSON.stringify(place)).toString("base64url");
        const at = path.replaceAll(/\{\w+\}/g, there[path.split("/")[1] ?? ""] ?? "1");
        expect(await send({ method: "get", path: `${at}?cursor=${cursor}` })).toBeLessThan(500);
      }
  });

  test("a body that is too deep is refused before an Idempotency-Key is looked at", async () => {
    const headers = { "Idempotency-Key": "deep" };
    expect(await send({ method: "post", path: "/units", body: `{"name":${tooDeep(200_000, "[")}}`, headers })).toBe(422);
  });
});
