import { createSign } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { COOKIES } from "../../../src/http/login/cookies.ts";
import { encoded, IDP, newId, newKeys, providerMetadata, signed } from "../../auth/saml/signer.ts";
import type { Browser } from "./browser.ts";
import { openLogin, type LoginDoor } from "./login-door.ts";
import { addSaml, answerOf, begin, ownMetadataOf, post, type Own } from "./saml-door.ts";

const idp = newKeys("idp");
let door: LoginDoor;
let own: Own;
const now = () => door.clock.now();

beforeAll(async () => {
  door = await openLogin({ signIn: { limits: { network: { attempts: 1000, minutes: 1 } } } });
  await addSaml(door, { name: "corp", settings: { metadata: providerMetadata([idp.certificate]), domains: ["example.org"] } });
  own = await ownMetadataOf(door, "corp");
});
afterAll(() => door?.close());

const reasons = async () =>
  (await door.db.pool.query<{ why: string }>("select why from sign_in_attempts where kind = 'federated' and outcome = 'failed'")).rows
    .length;

/** The whole way: begun here, answered there. */
async function signIn(browser: Browser, nameId: string, more: { sessionIndex?: string; returnTo?: string; relayState?: string } = {}) {
  const { id } = await begin(browser, "corp", more.returnTo);
  const SAMLResponse = answerOf({ key: idp, own, now: now(), nameId, inResponseTo: id, sessionIndex: more.sessionIndex });
  const fields = { SAMLResponse, ...(more.relayState === undefined ? {} : { RelayState: more.relayState }) };
  return { fields, answer: await browser.follow(await post(browser, own.acsUrl, fields)) };
}

describe("signing in by SAML", () => {
  test("G4: a person who is known signs in by the identity provider, to the page that was asked for", async () => {
    const { userName } = await door.newPerson();
    const browser = door.browser();
    const { url, xml } = await begin(browser, "corp");
    expect(url.href.startsWith("https://idp.example.org/sso?")).toBe(true);
    expect(xml).toContain(`AssertionConsumerServiceURL="${own.acsUrl}"`);
    expect(url.searchParams.get("SigAlg")).toBe("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256");
    const { answer } = await signIn(browser, userName);
    expect(answer.text).toContain(`You are signed in as ${userName}.`);
    expect(browser.cookies.has(COOKIES.session)).toBe(true);
  });

  test("G4: somebody new is made a person by the stages of a sync", async () => {
    const { answer } = await signIn(door.browser(), "newcomer");
    expect(answer.text).toContain("newcomer");
    const { rows } = await door.db.pool.query("select origin_id is not null as mastered from people where user_name = 'newcomer'");
    expect(rows).toEqual([{ mastered: true }]);
  });

  test("people of a domain are led to their identity provider from the sign-in page", async () => {
    const browser = door.browser();
    await browser.get("/login");
    const answer = await browser.submit("/login", { name: "ada@example.org" });
    expect(answer.location).toMatch(/^\/saml\/corp\/login\?/);
  });

  test("a response is taken once, and from the browser that asked for it only", async () => {
    const { userName } = await door.newPerson();
    const browser = door.browser();
    const { fields } = await signIn(browser, userName);
    const before = await reasons();
    expect((await post(browser, own.acsUrl, fields)).status).toBe(403);
    const asked = await begin(browser, "corp");
    const SAMLResponse = answerOf({ key: idp, own, now: now(), nameId: userName, inResponseTo: asked.id });
    const stranger = door.browser();
    await begin(stranger, "corp");
    expect((await post(stranger, own.acsUrl, { SAMLResponse })).status).toBe(403);
    expect((await post(door.browser(), own.acsUrl, { SAMLResponse })).status).toBe(403);
    expect(stranger.cookies.has(COOKIES.session)).toBe(false);
    expect(await reasons()).toBe(before + 3);
  });

  test("of two who bring one response at the same time, one gets in", async () => {
    const { userName } = await door.newPerson();
    const browser = door.browser();
    const { id } = await begin(browser, "corp");
    const SAMLResponse = answerOf({ key: idp, own, now: now(), nameId: userName, inResponseTo: id });
    const answers = await Promise.all([1, 2, 3, 4].map(() => post(browser, own.acsUrl, { SAMLResponse })));
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 403, 403, 403]);
  });

  test("a response that nobody asked for is refused, unless the connection takes such", async () => {
    const { userName } = await door.newPerson();
    const unasked = (to: Own) => answerOf({ key: idp, own: to, now: now(), nameId: userName, inResponseTo: undefined });
    expect((await post(door.browser(), own.acsUrl, { SAMLResponse: unasked(own) })).status).toBe(403);
    await addSaml(door, { name: "open", settings: { metadata: providerMetadata([idp.certificate]), idpInitiated: true } });
    const open = await ownMetadataOf(door, "open");
    const browser = door.browser();
    const RelayState = "https://evil.example/";
    const first = await post(browser, open.acsUrl, { SAMLResponse: unasked(open), RelayState });
    expect(first.location).toBe("/login/next");
    const last = await browser.follow(first);
    expect(last.text).toContain(userName);
    // Of two identity providers, one can't answer for the other.
    const asked = await begin(browser, "corp");
    const SAMLResponse = answerOf({ key: idp, own: open, now: now(), nameId: userName, inResponseTo: asked.id });
    expect((await post(browser, open.acsUrl, { SAMLResponse })).status).toBe(403);
    expect((await post(browser, own.acsUrl, { SAMLResponse })).status).toBe(403);
  });

  test("neither RelayState nor return_to leads anywhere else", async () => {
    const { userName } = await door.newPerson();
    for (const elsewhere of ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]) {
      const browser = door.browser();
      const { id } = await begin(browser, "corp", elsewhere);
      const SAMLResponse = answerOf({ key: idp, own, now: now(), nameId: userName, inResponseTo: id });
      let answer = await post(browser, own.acsUrl, { SAMLResponse, RelayState: elsewhere });
      for (; answer.location !== null; answer = await browser.get(answer.location)) expect(answer.location).toMatch(/^\/(?!\/)/);
      expect(answer.status).toBe(200);
    }
  });

  test("who has no password here proves anew at the identity provider that it is them, and nobody else", async () => {
    const { userName } = await door.newPerson({ password: null });
    const other = await door.newPerson({ password: null });
    const browser = door.browser();
    await signIn(browser, userName);
    const stepUp = async (nameId: string, secondsAgo: number) => {
      const away = await browser.get("/login/step-up?return_to=/account");
      const { id, xml } = await begin(browser, "corp", undefined, "&step_up=1");
      expect(away.location).toMatch(/^\/saml\/corp\/login\?.*step_up=1$/);
      expect(xml).toContain('ForceAuthn="true"');
      const authenticatedAt = new Date(now().getTime() - secondsAgo * 1000).toISOString();
      const SAMLResponse = answerOf({ key: idp, own, now: now(), nameId, inResponseTo: id, authenticatedAt });
      return browser.follow(await post(browser, own.acsUrl, { SAMLResponse }));
    };
    const provenAt = async () =>
      (await door.db.pool.query("select proven_at from sessions s join people p on p.id = s.person_id where p.user_name = $1", [userName]))
        .rows;
    const before = await provenAt();
    door.clock.forward(600_000);
    expect((await stepUp(userName, 300)).status).toBe(403);
    expect((await stepUp(other.userName, 0)).status).toBe(403);
    expect(await provenAt()).toEqual(before);
    expect((await stepUp(userName, 0)).status).toBe(200);
    expect(await provenAt()).not.toEqual(before);
  });

  test("what is refused is told in the same words, and no more, whatever was wrong; nothing unknown has a door", async () => {
    const browser = door.browser();
    const wrong = newKeys("wrong");
    const one = await post(browser, own.acsUrl, { SAMLResponse: answerOf({ key: wrong, own, now: now(), inResponseTo: "_x" }) });
    const other = await post(browser, own.acsUrl, { SAMLResponse: "PGE+" });
    const none = await post(browser, own.acsUrl, {});
    const text = (html: string) => /<p class="problem"[^>]*>[^<]+/.exec(html)?.[0];
    expect([other, none].map(({ status, text: html }) => [status, text(html)])).toEqual([
      [one.status, text(one.text)],
      [one.status, text(one.text)],
    ]);
    for (const name of ["nobody", "scim", "%00", "a".repeat(100)]) expect((await browser.get(`/saml/${name}/metadata`)).status).toBe(404);
    expect((await post(browser, own.acsUrl, { SAMLResponse: "x".repeat(600_000) })).status).toBe(413);
  });
});

describe("single logout", () => {
  const logoutRequest = (
    nameId: string,
    { sessionIndex, destination = own.sloUrl, at = now() }: { sessionIndex?: string; destination?: string; at?: Date },
  ) =>
    `<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="${newId()}" Version="2.0" IssueInstant="${at.toISOString()}" Destination="${destination}"><saml:Issuer>${IDP}</saml:Issuer><saml:NameID>${nameId}</saml:NameID>${sessionIndex === undefined ? "" : `<samlp:SessionIndex>${sessionIndex}</samlp:SessionIndex>`}</samlp:LogoutRequest>`;

  /** The path with a message in its query, signed. */
  function redirected(
    name: "SAMLRequest" | "SAMLResponse",
    xml: string,
    { key = idp, relayState = "there & back", hash = "sha256" } = {},
  ): string {
    const algorithm = hash === "sha1" ? "http://www.w3.org/2000/09/xmldsig#rsa-sha1" : "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    const message = encodeURIComponent(deflateRawSync(xml).toString("base64"));
    const query = `${name}=${message}&RelayState=${encodeURIComponent(relayState)}&SigAlg=${encodeURIComponent(algorithm)}`;
    const signature = createSign(hash).update(query).sign(key.privateKey, "base64");
    return `${new URL(own.sloUrl).pathname}?${query}&Signature=${encodeURIComponent(signature)}`;
  }

  async function signedIn(sessionIndex: string) {
    const { userName } = await door.newPerson();
    const browser = door.browser();
    await signIn(browser, userName, { sessionIndex });
    const isIn = async () => (await browser.get("/account")).status === 200;
    expect(await isIn()).toBe(true);
    return { userName, browser, isIn };
  }

  test("G6: the identity provider ends the session that it names, is answered, and can't send its request again", async () => {
    const { userName, browser, isIn } = await signedIn("_s1");
    const other = await redirectedSession("_s2", userName);
    const path = redirected("SAMLRequest", logoutRequest(userName, { sessionIndex: "_s1" }));
    const answer = await browser.get(path);
    const url = new URL(answer.location ?? "");
    expect(url.href.startsWith("https://idp.example.org/slo?")).toBe(true);
    expect(url.searchParams.get("RelayState")).toBe("there & back");
    expect(inflateRawSync(Buffer.from(url.searchParams.get("SAMLResponse") ?? "", "base64")).toString()).toContain("status:Success");
    expect(await isIn()).toBe(false);
    expect((await other.get("/account")).status).toBe(200);
    expect((await browser.get(path)).status).toBe(403);
    // Without a session's name all of the person's end; this one is posted.
    const SAMLRequest = encoded(signed(logoutRequest(userName, {}), { key: idp.privateKey, element: "LogoutRequest" }));
    expect((await post(browser, own.sloUrl, { SAMLRequest })).status).toBe(303);
    expect((await other.get("/account")).status).toBe(303);
  });

  test("G6: it ends a session by the name that it gave it last, where a proof there has brought another (as SimpleSAMLphp does)", async () => {
    const { userName } = await door.newPerson({ password: null });
    const browser = await redirectedSession("_first", userName);
    const other = await redirectedSession("_other", userName);
    await browser.get("/login/step-up?return_to=/account");
    const { id } = await begin(browser, "corp", undefined, "&step_up=1");
    const until = new Date(now().getTime() + 3_600_000);
    const parts = { nameId: userName, inResponseTo: id, sessionIndex: "_second", sessionUntil: until.toISOString() };
    await browser.follow(await post(browser, own.acsUrl, { SAMLResponse: answerOf({ key: idp, own, now: now(), ...parts }) }));
    const { rows } = await door.db.pool.query("select expires_at from sessions where federation_session = '_second'");
    expect(rows).toEqual([{ expires_at: until }]);
    await door.browser().get(redirected("SAMLRequest", logoutRequest(userName, { sessionIndex: "_second" })));
    expect((await browser.get("/account")).status).toBe(303);
    expect((await other.get("/account")).status).toBe(200);
  });

  async function redirectedSession(sessionIndex: string, userName: string): Promise<Browser> {
    const browser = door.browser();
    await signIn(browser, userName, { sessionIndex });
    return browser;
  }

  test("what is not signed, signed by somebody else or with SHA-1, changed, too old, or for another address ends nothing", async () => {
    const { userName, browser, isIn } = await signedIn("_s3");
    const good = logoutRequest(userName, {});
    const old = logoutRequest(userName, { at: new Date(now().getTime() - 3_600_000) });
    const paths = [
      redirected("SAMLRequest", good).replace(/&Signature=.*/, ""),
      redirected("SAMLRequest", good, { key: newKeys("wrong") }),
      redirected("SAMLRequest", good, { hash: "sha1" }),
      redirected("SAMLRequest", good).replace("there", "elsewhere"),
      `${redirected("SAMLRequest", good)}&RelayState=twice`,
      redirected("SAMLRequest", old),
      redirected("SAMLRequest", logoutRequest(userName, { destination: "https://elsewhere.example/slo" })),
      redirected("SAMLRequest", good.replace(IDP, "https://other.example.org")),
      redirected("SAMLRequest", good.replace("<saml:NameID>", "<saml:NameID><!---->")),
      redirected("SAMLRequest", "x".repeat(10_000_000)),
      redirected("SAMLResponse", good),
      new URL(own.sloUrl).pathname,
    ];
    for (const path of paths) expect((await browser.get(path)).status).toBe(403);
    for (const SAMLRequest of [
      encoded(good),
      encoded(signed(good, { key: idp.privateKey, element: "LogoutRequest" }).replace(userName, "somebody")),
    ])
      expect((await post(browser, own.sloUrl, { SAMLRequest })).status).toBe(403);
    expect(await isIn()).toBe(true);
  });

  test("who signs out here is sent to the identity provider with a signed request, whose answer is taken once", async () => {
    const { userName, browser, isIn } = await signedIn("_s4");
    await browser.get("/account");
    const away = await browser.submit("/logout");
    expect(away.location).toMatch(/^\/saml\/corp\/logout\?request=_/);
    const page = await browser.get(away.location ?? "");
    const url = new URL(/^0; url=(.+)$/.exec(page.headers.get("refresh") ?? "")?.[1] ?? "");
    const request = inflateRawSync(Buffer.from(url.searchParams.get("SAMLRequest") ?? "", "base64")).toString();
    expect(request).toContain(`>${userName}</saml:NameID>`);
    expect(request).toContain("_s4</");
    expect(await isIn()).toBe(false);
    expect((await browser.get(away.location ?? "")).location).toBe("/login");
    const id = / ID="([^"]+)"/.exec(request)?.[1] ?? "";
    const response = `<samlp:LogoutResponse xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="${newId()}" Version="2.0" IssueInstant="${now().toISOString()}" Destination="${own.sloUrl}" InResponseTo="${id}"><saml:Issuer>${IDP}</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status></samlp:LogoutResponse>`;
    const back = redirected("SAMLResponse", response);
    expect((await browser.get(back)).location).toBe("/login");
    expect((await browser.get(back)).status).toBe(403);
  });
});
