import { createPublicKey, generateKeyPairSync, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { UnsecuredJWT, type JWTPayload } from "jose";
import { addConnection } from "../../../../src/connections/store.ts";
import { inTransaction } from "../../../../src/db/database.ts";
import { testContext } from "../../../helpers/database.ts";
import { keyRing, openDoor, type Door } from "../door.ts";
import { openIssuer, type Issuer } from "./issuer.ts";

let clock = new Date("2026-11-01T12:00:00Z").getTime();
const now = () => new Date(clock);
const SECOND = 1000;
const MINUTE = 60 * SECOND;

let door: Door;
let issuer: Issuer;
beforeAll(async () => {
  door = await openDoor({ now });
  issuer = await openIssuer({ now });
  await connect("entra", { oauth: { issuer: issuer.url, audience: "rollcall", claims: { appid: "app-1" } } });
});
afterAll(async () => {
  await issuer.close();
  await door.close();
});

const connect = (name: string, settings: object, more: object = {}) =>
  inTransaction(door.db, testContext(), (work) =>
    addConnection(work, { definition: { name, connector: "scim-inbound", settings, ...more }, keyRing, replace: true }),
  );
const get = async (token: string, path = "/scim/entra/v2/Users") => {
  const { status, body, headers } = await door.request("GET", path, { token });
  return { status, detail: body.detail as string, challenge: headers["www-authenticate"] };
};

describe("G5: access tokens of a configured issuer (OAuth 2.0 client credentials)", () => {
  test("G5: a good one opens its connection's door and the common one, and acts under its application's id", async () => {
    const token = await issuer.token();
    expect((await get(token)).status).toBe(200);
    expect((await get(token, "/scim/v2/Users")).status).toBe(200);
    const made = await door.request("POST", "/scim/entra/v2/Users", { token, body: { userName: "via-jwt" } });
    expect(made.status).toBe(201);
    const { rows } = await door.db.pool.query("select distinct actor from audit_events where subject_id = $1", [made.body.id]);
    expect(rows).toEqual([{ actor: "token:app-1" }]);
    expect(
      (await door.db.pool.query("select count(*)::int as count from audit_events e where e::text like '%' || $1 || '%'", [token])).rows[0]
        .count,
    ).toBe(0);
  });

  const at = (seconds: number) => Math.floor(clock / 1000) + seconds;
  test.each<[string, () => JWTPayload, string]>([
    ["another audience", () => ({ aud: "others" }), "claim aud"],
    ["another application", () => ({ appid: "app-2" }), "claim appid"],
    ["no application", () => ({ appid: undefined }), "claim appid"],
    ["an inherited name for a claim", () => ({ appid: { toString: "app-1" } }), "claim appid"],
    ["an end that is past", () => ({ exp: at(-61) }), "expired"],
    ["no end", () => ({ exp: undefined }), "claim exp"],
    ["a beginning to come", () => ({ nbf: at(61) }), "claim nbf"],
  ])("G5: one with %s is refused, and says so", async (_title, claims, detail) => {
    const answer = await get(await issuer.token(claims()));
    expect([answer.status, answer.detail]).toEqual([401, expect.stringContaining(detail)]);
    expect(answer.challenge).toMatch(/^Bearer realm="Rollcall SCIM", error="invalid_token", error_description="/);
  });

  test("G5: a scope is one of those that a token names, however its issuer lists them (RFC 9068 section 2.2.3)", async () => {
    await connect("scoped", { oauth: { issuer: issuer.url, audience: "rollcall", claims: { azp: "app-9", scope: "scim.write" } } });
    const asked = async (scope: unknown) => (await get(await issuer.token({ azp: "app-9", scope }), "/scim/scoped/v2/Users")).status;
    for (const scope of ["scim.write", "openid scim.write", ["openid", "scim.write"]]) expect(await asked(scope)).toBe(200);
    for (const scope of ["scim.writer", "scim", "", undefined]) expect(await asked(scope)).toBe(401);
  });

  test("G5: a token may be as long as Entra makes them, with 200 groups", async () => {
    const groups = Array.from({ length: 200 }, () => randomUUID());
    expect((await get(await issuer.token({ groups }))).status).toBe(200);
  });

  test("G5: clocks may differ by as much as the connection says", async () => {
    expect((await get(await issuer.token({ exp: at(-59) }))).status).toBe(200);
    expect((await get(await issuer.token({ nbf: at(59) }))).status).toBe(200);
  });

  test("G5: no signature, a signature with the public key as a secret, another's key and a changed token are refused", async () => {
    const good = await issuer.token();
    const [jwk] = issuer.publicKeys();
    const pem = createPublicKey({ key: jwk as never, format: "jwk" }).export({ type: "spki", format: "pem" });
    const stranger = await openIssuer({ now });
    const [header, payload, signature] = good.split(".");
    const changed = Buffer.from(
      JSON.stringify({ ...JSON.parse(Buffer.from(payload ?? "", "base64url").toString()), appid: "app-1", admin: true }),
    ).toString("base64url");
    const forged = [
      new UnsecuredJWT({ iss: issuer.url, aud: "rollcall", appid: "app-1", exp: at(600) }).encode() + "x",
      await issuer.token({}, { alg: "HS256", key: Buffer.from(pem) }),
      await stranger.token({ iss: issuer.url }, { kid: String(jwk?.kid) }),
      `${header}.${changed}.${signature}`,
      `${header}.${payload}.${signature?.slice(0, -4)}AAAA`,
      await stranger.token(),
      "ey.ey.ey",
    ];
    await stranger.close();
    for (const token of forged) expect([(await get(token)).status, token.slice(0, 30)]).toEqual([401, token.slice(0, 30)]);
  });

  test("G5: a connection's other door, one that is switched off, and one without the issuer stay shut", async () => {
    await connect("plain", {});
    const token = await issuer.token();
    expect((await get(token, "/scim/plain/v2/Users")).status).toBe(401);
    await connect("entra", { oauth: { issuer: issuer.url, audience: "rollcall", claims: { appid: "app-1" } } }, { enabled: false });
    expect((await get(token)).status).toBe(403);
    await connect("entra", { oauth: { issuer: issuer.url, audience: "rollcall", claims: { appid: "app-1" } } });
    expect((await get(token)).status).toBe(200);
  });

  test("G5: connections of one issuer are told apart by claims; what fits two must name one", async () => {
    await connect("second", { oauth: { issuer: issuer.url, audience: ["rollcall"], claims: { roles: ["scim", "scim.write"] } } });
    const second = await issuer.token({ appid: "app-9", roles: ["other", "scim"] });
    expect((await get(second, "/scim/v2/Users")).status).toBe(200);
    expect((await get(second, "/scim/second/v2/Users")).status).toBe(200);
    const both = await issuer.token({ roles: ["scim"] });
    expect((await get(both, "/scim/v2/Users")).status).toBe(403);
    expect((await get(both)).status).toBe(200);
  });

  test("G5: of an issuer's many connections only those are tried whose claims a token has", async () => {
    let asked = 0;
    const away = createServer((_request, response) => {
      asked += 1;
      response.writeHead(500).end();
    }).listen(0, "127.0.0.1");
    await once(away, "listening");
    const jwksUri = `http://127.0.0.1:${(away.address() as AddressInfo).port}/keys`;
    for (let number = 0; number < 25; number += 1)
      await connect(`many-${number}`, {
        oauth: { issuer: issuer.url, audience: "many", claims: { appid: `many-${number}` }, ...(number < 24 ? { jwksUri } : {}) },
      });
    expect((await get(await issuer.token({ aud: "many", appid: "many-24" }), "/scim/v2/Users")).status).toBe(200);
    expect(await get(await issuer.token({ aud: "many", appid: "somebody" }), "/scim/v2/Users")).toMatchObject({ status: 401 });
    expect(asked).toBe(0);
    await new Promise((closed) => away.close(closed));
  });

  test("G5: keys are fetched once; a new key is found, made-up ones don't make us ask each time", async () => {
    clock += 11 * MINUTE;
    const before = issuer.fetched;
    await Promise.all(Array.from({ length: 5 }, async () => expect((await get(await issuer.token())).status).toBe(200)));
    expect(issuer.fetched).toBe(before + 1);
    clock += 31 * SECOND;
    await issuer.rotate();
    expect((await get(await issuer.token())).status).toBe(200);
    expect(issuer.fetched).toBe(before + 2);
    for (let tried = 0; tried < 5; tried += 1) expect((await get(await issuer.token({}, { kid: `made-up-${tried}` }))).status).toBe(401);
    expect(issuer.fetched).toBe(before + 2);
  });

  test("G5: keys that are known serve on while the issuer is away; unknown ones answer 503, with when to try again", async () => {
    issuer.answer = { status: 500, body: "" };
    clock += 20 * MINUTE;
    expect((await get(await issuer.token())).status).toBe(200);
    await connect("fresh", { oauth: { issuer: issuer.url, jwksUri: `${issuer.url}/keys`, audience: "fresh", claims: { appid: "app-1" } } });
    const token = await issuer.token({ aud: "fresh" });
    const answer = await door.request("GET", "/scim/fresh/v2/Users", { token });
    expect([answer.status, answer.headers["retry-after"]]).toEqual([503, "30"]);
    for (const body of ["no json", "{}", `{"keys":[]}`, `{"keys":"${"x".repeat(300_000)}"}`]) {
      clock += MINUTE;
      issuer.answer = { status: 200, body };
      expect((await get(token, "/scim/fresh/v2/Users")).status).toBe(body === `{"keys":[]}` ? 401 : 503);
    }
    issuer.answer = undefined;
    clock += MINUTE;
    expect((await get(await issuer.token({ aud: "fresh" }), "/scim/fresh/v2/Users")).status).toBe(200);
  });

  test("G5: an issuer's key that is none takes no other along; a token whose key can't be used is refused, and says so", async () => {
    await connect("odd", { oauth: { issuer: issuer.url, jwksUri: `${issuer.url}/keys`, audience: "odd", claims: { appid: "app-1" } } });
    const [good] = issuer.publicKeys();
    const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
    const broken = { kty: "RSA", n: "!", e: "AQAB" };
    const answer = async (keys: unknown[]) => {
      clock += 11 * MINUTE;
      issuer.answer = { status: 200, body: JSON.stringify({ keys }) };
      return await get(await issuer.token({ aud: "odd" }), "/scim/odd/v2/Users");
    };
    expect((await answer([null, 7, { kid: "without a type" }, { ...broken, kid: "another" }, good])).status).toBe(200);
    for (const key of [broken, weak])
      expect(await answer([{ ...key, kid: good?.kid }])).toMatchObject({
        status: 401,
        detail: expect.stringContaining("the key of its issuer can't be used"),
      });
    expect((await answer([good, good])).detail).toContain("kid");
    issuer.answer = undefined;
    clock += 11 * MINUTE;
  });

  test("G5: an issuer without TLS, a shared secret's algorithm, and a token of any client of the issuer can't be configured", async () => {
    for (const oauth of [
      { issuer: "http://issuer.example.com", audience: "a", claims: { azp: "x" } },
      { issuer: "https://issuer.example.com", audience: "a", claims: { azp: "x" }, algorithms: ["HS256"] },
      { issuer: "https://issuer.example.com", audience: "a", claims: { azp: "x" }, algorithms: ["none"] },
      { issuer: "https://issuer.example.com", audience: "a", claims: {} },
      { issuer: "https://issuer.example.com", claims: { azp: "x" } },
    ])
      await expect(connect("bad", { oauth })).rejects.toMatchObject({ code: "invalid" });
  });
});
