import { createHmac } from "node:crypto";
import { Writable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { generateKeyPair, SignJWT, exportJWK } from "jose";
import pino from "pino";
import { COOKIES } from "../../../src/http/login/cookies.ts";
import { startLyingProvider, type Lies, type LyingProvider } from "../../counterparts/oidc/lying-provider.ts";
import { encoded, IDP, newId, newKeys, providerMetadata, signed } from "../../auth/saml/signer.ts";
import type { Browser } from "./browser.ts";
import { openLogin, type LoginDoor } from "./login-door.ts";
import { addOidc, back, towards } from "./oidc-door.ts";
import { addSaml, answerOf, begin, ownMetadataOf, post } from "./saml-door.ts";

const idp = newKeys("idp");
let door: LoginDoor;
let provider: LyingProvider;
let logged = "";
beforeAll(async () => {
  const stream = new Writable({ write: (chunk, _encoding, done) => void ((logged += String(chunk)), done()) });
  door = await openLogin({
    log: pino({ level: "debug" }, stream),
    signIn: { limits: { network: { attempts: 10_000 }, overall: { attempts: 10_000 } } },
  });
  provider = await startLyingProvider({ now: door.clock.now });
  await addOidc(door, { settings: { issuer: provider.issuer }, policy: { signIn: { create: true, verifiedDomains: ["bank.test"] } } });
  await addSaml(door, { name: "corp", settings: { metadata: providerMetadata([idp.certificate]) } });
  await addSaml(door, { name: "twin", settings: { metadata: providerMetadata([idp.certificate]) } });
});
afterAll(async () => {
  await provider.close();
  await door.close();
});

const rows = async <R extends object>(statement: string, values: readonly unknown[] = []): Promise<R[]> =>
  (await door.db.pool.query<R>(statement, [...values])).rows;
async function signIn(sub: string, claims: Record<string, unknown>, lies: Lies = {}) {
  const browser = door.browser();
  const query = await provider.authorize(await towards(browser), { sub, claims, lies });
  return { browser, query, answer: await back(browser, query) };
}
async function samlIn(
  nameId: string,
  { browser = door.browser(), sessionIndex = "_s" }: { browser?: Browser; sessionIndex?: string } = {},
) {
  const own = await ownMetadataOf(door, "corp");
  const { id } = await begin(browser, "corp");
  const SAMLResponse = answerOf({ key: idp, own, now: door.clock.now(), nameId, inResponseTo: id, sessionIndex });
  return { browser, SAMLResponse, first: await post(browser, own.acsUrl, { SAMLResponse }) };
}

test("G4: an address or a name that only looks like another's, or becomes it when case is ignored, finds nobody", async () => {
  const { personId } = await door.newPerson({ userName: "mark", email: "mark@bank.test" });
  await door.db.pool.query(
    "update connections set mapping = jsonb_set(mapping, '{match}', '[\"emails\", \"userName\"]') where name = 'sso'",
  );
  const tricks: Record<string, unknown>[] = [
    { email: "mar\u212a@bank.test" },
    { email: "mark@ban\u212a.test" },
    { email: "mar\u212a@elsewhere.test", email_verified: true },
    { email: "mar\u212a@bank.test", email_verified: true, upn: "mark@bank.test", preferred_username: "mark@bank.test" },
    { email: "\uff4dark@bank.test" },
    { email: "mark@bank.test@evil.test", email_verified: true },
    { email: '"mark@bank.test"@evil.test', email_verified: true },
    { email: "mark@bank.test\u200b" },
    { email: "mark\u0000@bank.test" },
    { preferred_username: "mar\u212a" },
    { preferred_username: "mark\u00a0" },
  ];
  for (const [at, claims] of tricks.entries()) {
    const said = { preferred_username: `mallory-${at}`, ...claims };
    await signIn(`mallory-${at}`, said);
    expect([said, await rows("select 1 from accounts where person_id = $1", [personId])]).toEqual([said, []]);
  }
});

describe("G4: keys", () => {
  test("that the token brings along, or that are shared, are not taken", async () => {
    const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
    const jwk = await exportJWK(publicKey);
    const header = (more: object) => ({
      idToken: (claims: object) => new SignJWT({ ...claims }).setProtectedHeader({ alg: "RS256", ...more }).sign(privateKey),
    });
    const jku = `${provider.issuer}/evil-keys`;
    for (const more of [
      { jwk },
      { jku },
      { x5u: jku },
      { kid: "../../jwks" },
      { kid: "k1", jwk },
      { kid: "__proto__" },
      { crit: ["b64"], b64: true },
    ])
      expect((await signIn("eve", {}, header(more))).answer.status).toBe(403);
    const secret = (key: string) => ({
      idToken: (claims: object) => {
        const body = [{ alg: "HS256", kid: "k1" }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
        return `${body}.${createHmac("sha256", key).update(body).digest("base64url")}`;
      },
    });
    expect((await signIn("eve", {}, secret(JSON.stringify(provider.publicJwk)))).answer.status).toBe(403);
    expect(await rows("select 1 from accounts where native_id = 'eve'")).toEqual([]);
  });
});

describe("G4: the way back", () => {
  test("by another way than asked for, without the issuer that is announced, or with what is not its own", async () => {
    const begun = async () => {
      const browser = door.browser();
      return { browser, query: await provider.authorize(await towards(browser), { sub: "ray" }) };
    };
    const { browser, query } = await begun();
    const posted = await browser.submit("/oidc/sso/callback", Object.fromEntries(query), {
      Origin: provider.issuer,
      "Sec-Fetch-Site": "cross-site",
    });
    expect([404, 405, 403]).toContain(posted.status);
    for (const change of [
      (each: URLSearchParams) => each.delete("iss"),
      (each: URLSearchParams) => each.set("iss", `${provider.issuer}/`),
      (each: URLSearchParams) => each.append("code", "another"),
      (each: URLSearchParams) => each.set("code", "another"),
      (each: URLSearchParams) => each.set("response", "eyJhbGciOiJub25lIn0.e30."),
      (each: URLSearchParams) => each.set("id_token", "eyJhbGciOiJub25lIn0.e30."),
      (each: URLSearchParams) => each.set("state", "\0"),
      (each: URLSearchParams) => each.set("error", "<script>alert(1)</script>"),
    ]) {
      const each = await begun();
      change(each.query);
      const answer = await back(each.browser, each.query);
      expect([each.query.toString().slice(0, 20), answer.status]).toEqual([expect.any(String), 403]);
      expect(answer.text).not.toContain("<script>alert");
    }
  });

  test("characters that can't be kept are no reason to fail", async () => {
    const browser = door.browser();
    const answers = [
      ["/saml/corp/logout?request=%00", 303],
      ["/saml/corp/logout?request=_1&request=_2", 303],
      ["/saml/corp/login?return_to=%00", 200],
      [`/oidc/sso/frontchannel?iss=${encodeURIComponent(provider.issuer)}&sid=%00`, 200],
      ["/oidc/sso/callback?state=%00", 403],
      ["/saml/%00/login", 404],
      ["/oidc/%00/login", 404],
      ["/saml/corp/slo?SAMLRequest=%00", 403],
      ["/saml/corp/slo?SAMLRequest=AA&SigAlg=constructor&Signature=AA", 403],
    ] as const;
    for (const [path, status] of answers) expect([path, (await browser.get(path)).status]).toEqual([path, status]);
  });
});

describe("SAML between connections", () => {
  test("a response for one connection is of no use at another's address, by the same identity provider and key", async () => {
    const [corp, twin] = [await ownMetadataOf(door, "corp"), await ownMetadataOf(door, "twin")];
    const browser = door.browser();
    const { id } = await begin(browser, "corp");
    const SAMLResponse = answerOf({ key: idp, own: corp, now: door.clock.now(), nameId: "ada", inResponseTo: id });
    expect((await post(browser, twin.acsUrl, { SAMLResponse })).status).toBe(403);
    const forTwin = answerOf({ key: idp, own: twin, now: door.clock.now(), nameId: "ada", inResponseTo: id });
    expect((await post(browser, twin.acsUrl, { SAMLResponse: forTwin })).status).toBe(403);
    expect((await post(browser, corp.acsUrl, { SAMLResponse: forTwin })).status).toBe(403);
    expect((await post(browser, corp.acsUrl, { SAMLResponse })).status).toBe(303);
  });
});

test("G4: who calls themselves what somebody else is called, or what nobody can be, is refused and stays who they were", async () => {
  await door.newPerson({ userName: "root", email: "root@bank.test" });
  expect((await signIn("sub-mal", { preferred_username: "mal" })).answer.status).toBe(200);
  expect((await signIn("sub-mal", { preferred_username: "root" })).answer.status).toBe(403);
  expect((await signIn("sub-mal", { preferred_username: "mal", email: "root@bank.test" })).answer.status).toBe(200);
  expect(await rows("select user_name, email from people where user_name in ('mal', 'root') order by 1")).toEqual([
    { user_name: "mal", email: null },
    { user_name: "root", email: "root@bank.test" },
  ]);
  for (const sub of ["", "l".repeat(256), "ro\u0000ot", "ro\ud800ot"]) expect((await signIn(sub, {})).answer.status).toBe(403);
  expect((await signIn("sub-sid", {}, { claims: { sid: "\u0000" } })).answer.status).toBe(403);
});

test("G6: a sign-in that was planted in somebody's browser is worth nothing to whoever planted it, once its person has come back", async () => {
  const [attacker, victim] = [door.browser(), door.browser()];
  const address = await towards(attacker);
  victim.cookies.set(COOKIES.signIn, attacker.cookies.get(COOKIES.signIn) ?? "");
  const query = await provider.authorize(address, { sub: "vera", claims: { preferred_username: "vera" } });
  const arrived = await victim.get(`/oidc/sso/callback?${query.toString()}`, { "Sec-Fetch-Site": "cross-site" });
  expect(arrived.location).toBe("/login/next");
  expect((await attacker.get("/login/next")).location).toBe("/login");
  expect(attacker.cookies.has(COOKIES.session)).toBe(false);
  expect((await victim.follow(arrived)).text).toContain("You are signed in as vera.");
});

test("G4: of two tabs that were sent to the provider the later gets in, whatever the earlier, or rubbish, came back with", async () => {
  const browser = door.browser();
  const earlier = await provider.authorize(await towards(browser), { sub: "tab" });
  const later = await provider.authorize(await towards(browser, { returnTo: "/account/notices" }), { sub: "tab" });
  const rubbish = [new URLSearchParams({ code: "x", state: "y" }), new URLSearchParams({ error: "access_denied" }), earlier];
  for (const query of rubbish) expect((await back(browser, query)).status).toBe(403);
  expect((await back(browser, later)).text).toContain('action="/account/notices"');
  expect((await back(browser, later)).status).toBe(403);
});

test("G4: nothing secret stands in the log, the trail or an address", async () => {
  const { SAMLResponse } = await samlIn("log-me");
  const { query } = await signIn("log-me", { email: "log-me@bank.test" });
  await signIn("log-me-not", { email: "x@bank.test" }, { claims: { nonce: "bad-nonce" } });
  await signIn("log-me-not", {}, { userInfo: { sub: "somebody-else" } });
  for (const secret of [
    SAMLResponse.slice(100, 160),
    query.get("code") ?? "-",
    query.get("state") ?? "-",
    "a-secret-of-32-characters",
    "log-me@bank.test",
    "bad-nonce",
  ])
    expect([secret, logged.includes(secret)]).toEqual([secret, false]);
  const events = JSON.stringify(await rows("select * from audit_events"));
  for (const secret of [query.get("code") ?? "-", "log-me@bank.test"]) expect(events).not.toContain(secret);
});

test("a link is told to whom it is made for, also to somebody who is not let in yet", async () => {
  const { personId } = await door.newPerson({ userName: "ivy", email: "ivy@bank.test" });
  await door.db.pool.query("update people set state = 'suspended', active = false where id = $1", [personId]);
  expect((await signIn("sub-ivy", { email: "ivy@bank.test", email_verified: true })).answer.status).toBe(403);
  const linked = await rows("select 1 from accounts where person_id = $1", [personId]);
  const told = await rows("select notice from notices where person_id = $1", [personId]);
  expect([linked.length, told.length]).toEqual([1, 1]);
});

test("G6: signing out at the identity provider ends a sign-in that still waits for a second factor", async () => {
  const { browser, first } = await samlIn("wilma", { sessionIndex: "_w" });
  expect(first.location).toBe("/login/next");
  const { sloUrl } = await ownMetadataOf(door, "corp");
  const xml = `<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="${newId()}" Version="2.0" IssueInstant="${door.clock.now().toISOString()}" Destination="${sloUrl}"><saml:Issuer>${IDP}</saml:Issuer><saml:NameID>wilma</saml:NameID><samlp:SessionIndex>_w</samlp:SessionIndex></samlp:LogoutRequest>`;
  const SAMLRequest = encoded(signed(xml, { key: idp.privateKey, element: "LogoutRequest" }));
  expect((await post(door.browser(), sloUrl, { SAMLRequest })).status).toBe(303);
  expect((await browser.get("/login/next")).location).toBe("/login");
});
