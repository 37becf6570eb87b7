import { request as httpRequest } from "node:http";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { parsedJson } from "../../../../src/http/scim/body.ts";
import { openDoor, type Door } from "../door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const ERROR = "urn:ietf:params:scim:api:messages:2.0:Error";
const LIMIT = 50_000;

let door: Door;
let port: number;
beforeAll(async () => {
  door = await openDoor({ bodyLimit: LIMIT });
  port = Number(new URL((door.request("GET", "/Users") as unknown as { url: string }).url).port);
});
afterAll(() => door.close());

interface Raw {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: Buffer | string;
  token?: string | null;
}

/** The bytes as they are: no client of ours in between. */
function send({ method = "POST", path = "/scim/v2/Users", headers = {}, body, token = door.token }: Raw) {
  return new Promise<{
    status: number;
    headers: NodeJS.Dict<string | string[]>;
    body: { status?: string; scimType?: string; detail: string; schemas?: string[] };
  }>((resolve, reject) => {
    const authorization: Record<string, string> = token === null ? {} : { Authorization: `Bearer ${token}` };
    const length: Record<string, string> =
      body === undefined || headers["Transfer-Encoding"] ? {} : { "Content-Length": String(Buffer.byteLength(body)) };
    const call = httpRequest(
      {
        port,
        host: "127.0.0.1",
        method,
        path,
        headers: { ...authorization, "Content-Type": "application/scim+json", ...length, ...headers },
      },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (part: string) => (text += part));
        answer.on("end", () =>
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text === "" ? { detail: "" } : JSON.parse(text) }),
        );
      },
    );
    call.on("error", reject);
    call.end(body);
  });
}

const user = (more: string) => `{"schemas":["${USER}"],"userName":"hostile",${more}}`;

describe("M1: what no client should send is refused cheaply, and in SCIM's form", () => {
  test.each<[string, Raw, number, string | undefined]>([
    ["a name twice", { body: user('"title":"a","title":"b"') }, 400, "invalidSyntax"],
    ["a name twice, once by an escape", { body: user('"title":"a","t\\u0069tle":"b"') }, 400, "invalidSyntax"],
    ["a name twice, deep inside", { body: user('"emails":[{"value":"a","value":"b"}]') }, 400, "invalidSyntax"],
    ["a name twice, in different letters", { body: user('"active":true,"Active":false') }, 400, "invalidSyntax"],
    [
      "a name twice in different letters, inside JSON in a text",
      { body: user('"name":"{\\"givenName\\":1,\\"givenname\\":2}"') },
      400,
      "invalidSyntax",
    ],
    ["a number without end", { body: user('"title":1e999') }, 400, "invalidSyntax"],
    ["NaN", { body: user('"title":NaN') }, 400, "invalidSyntax"],
    ["a comment", { body: `${user('"title":"x"')} // no` }, 400, "invalidSyntax"],
    ["prototype names", { body: user('"__proto__":{"active":true}') }, 400, "invalidSyntax"],
    ["prototype names by an escape", { body: user('"\\u005f_proto__":{"active":true}') }, 400, "invalidSyntax"],
    ["prototype names in JSON in a text", { body: user('"name":"{\\"__proto__\\":{\\"x\\":1}}"') }, 400, "invalidSyntax"],
    ["deep lists", { body: user(`"name":${"[".repeat(9000)}${"]".repeat(9000)}`) }, 400, "invalidSyntax"],
    ["deep objects", { body: user(`"name":${'{"a":'.repeat(4000)}1${"}".repeat(4000)}`) }, 400, "invalidSyntax"],
    ["deep JSON in a text", { body: user(`"name":"${"[".repeat(9000)}${"]".repeat(9000)}"`) }, 400, "invalidSyntax"],
    [
      "bytes that are no UTF-8",
      { body: Buffer.concat([Buffer.from(user('"title":"').slice(0, -1)), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]) },
      400,
      "invalidSyntax",
    ],
    [
      "an overlong encoding",
      { body: Buffer.concat([Buffer.from(user('"title":"').slice(0, -1)), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]) },
      400,
      "invalidSyntax",
    ],
    [
      "UTF-16",
      { body: Buffer.from(user('"title":"x"'), "utf16le"), headers: { "Content-Type": "application/json; charset=utf-16" } },
      415,
      undefined,
    ],
    ["Latin-1", { body: user('"title":"x"'), headers: { "Content-Type": "application/scim+json; charset=iso-8859-1" } }, 415, undefined],
    [
      "an unknown charset",
      { body: user('"title":"x"'), headers: { "Content-Type": 'application/json; charset="klingon"' } },
      415,
      undefined,
    ],
    ["a form", { body: "userName=hostile", headers: { "Content-Type": "application/x-www-form-urlencoded" } }, 415, undefined],
    ["XML", { body: "<User/>", headers: { "Content-Type": "application/xml" } }, 415, undefined],
    ["a compressed body", { body: gzipSync(user('"title":"x"')), headers: { "Content-Encoding": "gzip" } }, 415, undefined],
    ["a bomb", { body: gzipSync(Buffer.alloc(10_000_000, 32)), headers: { "Content-Encoding": "gzip" } }, 415, undefined],
    ["an encoding nobody knows", { body: user('"title":"x"'), headers: { "Content-Encoding": "rot13" } }, 415, undefined],
    ["a long body", { body: user(`"title":"${"x".repeat(LIMIT)}"`) }, 413, undefined],
    [
      "a long body without its length",
      { body: user(`"title":"${"x".repeat(LIMIT)}"`), headers: { "Transfer-Encoding": "chunked" } },
      413,
      undefined,
    ],
    ["a wide body", { body: `[${"[],".repeat(16_000)}[]]` }, 400, "invalidSyntax"],
    ["a path that can't be decoded", { method: "GET", path: "/scim/v2/Users/%E0%A4%A" }, 400, "invalidSyntax"],
    ["a filter of many parentheses", { method: "GET", path: `/scim/v2/Users?filter=${"(".repeat(7000)}` }, 400, "invalidFilter"],
    [
      "a filter of many conditions",
      { method: "GET", path: `/scim/v2/Users?filter=${Array.from({ length: 300 }, () => "id%20pr").join("%20or%20")}` },
      400,
      "tooMany",
    ],
    ["a long filter", { method: "GET", path: `/scim/v2/Users?filter=userName%20eq%20%22${"x".repeat(9000)}%22` }, 400, "invalidFilter"],
    ["nothing at all", { body: "" }, 400, "invalidSyntax"],
    ["a text", { body: '"userName"' }, 400, "invalidSyntax"],
  ])("M1: %s", async (_title, raw, status, scimType) => {
    const answer = await send(raw);
    expect([answer.status, answer.body.status, answer.body.scimType, answer.body.schemas]).toEqual([
      status,
      String(status),
      scimType,
      [ERROR],
    ]);
    expect(answer.body.detail.length).toBeGreaterThan(10);
    expect(answer.body.detail.length).toBeLessThan(400);
  });

  test("M1: nothing of it was taken in", async () => {
    const found = await door.request("GET", `/Users?${new URLSearchParams({ filter: 'userName eq "hostile"' })}`);
    expect(found.body.totalResults).toBe(0);
    expect(({} as { active?: unknown }).active).toBeUndefined();
  });

  test("M1: what is unusual but right is taken: a byte order mark, other letters in the media type, escapes, a quote before a colon", async () => {
    const body = (userName: string) => `{"schemas":["${USER}"],"userName":"${userName}","title":"a \\":\\" b, \\u00e5","nickName":"x\\":"}`;
    expect((await send({ body: `\uFEFF${body("mark")}` })).status).toBe(201);
    expect((await send({ body: body("letters"), headers: { "Content-Type": 'Application/JSON; Charset="UTF-8"' } })).status).toBe(201);
    expect((await send({ body: body("identity"), headers: { "Content-Encoding": "identity" } })).status).toBe(201);
  });

  test.each(["GET", "DELETE"])("M1: what comes with a %s is passed over, whatever it is", async (method) => {
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    const path = "/scim/v2/Users/00000000-0000-4000-8000-000000000000";
    expect((await send({ method, path, headers, body: "a=b" })).status).toBe(404);
    expect((await send({ method, path, body: "{" })).status).toBe(404);
  });

  test("M1: a stranger's body is not read", async () => {
    const answer = await send({ token: null, body: "{" });
    expect([answer.status, answer.headers["www-authenticate"]]).toEqual([401, 'Bearer realm="Rollcall SCIM"']);
    const wrong = await send({ token: `rc_scim_abcdefgh_${"x".repeat(43)}`, body: "x".repeat(LIMIT + 1) });
    expect(wrong.status).toBe(401);
    expect(wrong.headers["www-authenticate"]).toMatch(/^Bearer realm="Rollcall SCIM", error="invalid_token", error_description="[^"]+"$/);
  });

  test.each([
    ["PUT", "/Users", "GET, HEAD, POST"],
    ["OPTIONS", "/Users", "GET, HEAD, POST"],
    ["DELETE", "/ServiceProviderConfig", "GET, HEAD"],
    ["PATCH", "/Schemas", "GET, HEAD"],
  ])("M1: %s %s is told what works", async (method, path, allow) => {
    const answer = await send({ method, path: `/scim/v2${path}` });
    expect([answer.status, answer.headers["allow"], answer.body.status]).toEqual([405, allow, "405"]);
  });

  test("M1: JSON is read as JSON.parse reads it, or refused; a name twice always is", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        let read: unknown;
        try {
          read = parsedJson(Buffer.from(text));
        } catch (error) {
          expect(error).toMatchObject({ code: "invalid", scimType: "invalidSyntax" });
          if (!hasNameTwice(value)) expect(text).toMatch(/__proto__|constructor|prototype|\\ud/i);
          return;
        }
        expect(read).toEqual(JSON.parse(text));
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.string(), fc.dictionary(fc.string(), fc.string()), (name, others) => {
        if (["__proto__", "constructor", "prototype"].includes(name)) return;
        const inner = Object.entries(others).map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`);
        const text = `{"a":[{${[`${JSON.stringify(name)}:1`, ...inner, `${JSON.stringify(name)} :2`].join(",")}}]}`;
        expect(() => parsedJson(Buffer.from(text))).toThrow();
      }),
    );
  });
});

/** In different letters, in one object anywhere in it. */
function hasNameTwice(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const names = Array.isArray(value) ? [] : Object.keys(value).map((name) => name.toLowerCase());
  return new Set(names).size < names.length || Object.values(value).some(hasNameTwice);
}
