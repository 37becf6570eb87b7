import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { fromPost } from "../../../src/auth/saml/incoming.ts";
import { encoded, encrypted, IDP, newId, newKeys, providerMetadata, signed } from "../../auth/saml/signer.ts";
import { formOf } from "../../counterparts/simplesamlphp/visitor.ts";
import type { Answer, Browser } from "./browser.ts";
import { openLogin, type LoginDoor } from "./login-door.ts";
import { addSaml, answerOf, begin, ownMetadataOf, post, type Own } from "./saml-door.ts";

const idp = newKeys("idp", { curve: "P-256" });
const owns = new Map<string, Own>();
let door: LoginDoor;
const now = () => door.clock.now();
const own = (name: string): Own => owns.get(name) ?? { entityId: "", acsUrl: "", sloUrl: "", certificates: [], xml: "" };

beforeAll(async () => {
  door = await openLogin({ signIn: { limits: { network: { attempts: 1000, minutes: 1 } } } });
  const posting = providerMetadata([idp.certificate], { bindings: ["POST"] });
  const CONNECTIONS = {
    posted: { metadata: posting },
    elliptic: { metadata: posting, keyType: "ec" },
    redirected: { metadata: providerMetadata([idp.certificate], { bindings: ["POST", "Redirect"] }), keyType: "ec" },
  };
  for (const [name, settings] of Object.entries(CONNECTIONS)) {
    await addSaml(door, { name, settings });
    owns.set(name, await ownMetadataOf(door, name));
  }
});
afterAll(() => door?.close());

/** What a page of ours posts to the identity provider, its signature checked with our metadata's certificate. */
function sent({ text, headers }: Answer, name: string) {
  const form = formOf({ text: text.slice(text.indexOf("<main>")), url: "https://us.example" });
  if (!form) throw new Error(`this page posts nothing: ${text.slice(0, 500)}`);
  const { SAMLRequest: samlRequest, SAMLResponse: samlResponse, RelayState: relayState } = form.fields;
  const certificate = Buffer.from(own(name).certificates[0] ?? "", "base64");
  const { root, text: xml } = fromPost(
    { samlRequest, samlResponse, relayState },
    { certificates: [new X509Certificate(certificate).toString()] },
  );
  return { form, root, xml, policy: headers.get("content-security-policy") ?? "", id: root.attributes.get("ID") ?? "" };
}

async function signIn(name: string, nameId: string, more: { sessionUntil?: string; sessionIndex?: string } = {}): Promise<Browser> {
  const browser = door.browser();
  const { id } = sent(await browser.get(`/saml/${name}/login`), name);
  const SAMLResponse = answerOf({ key: idp, own: own(name), now: now(), nameId, inResponseTo: id, ...more });
  await browser.follow(await post(browser, own(name).acsUrl, { SAMLResponse }));
  return browser;
}
const isIn = async (browser: Browser) => (await browser.get("/account")).status === 200;

describe("G4: an identity provider that takes requests by HTTP-POST alone", () => {
  test.each(["posted", "elliptic"])(
    "gets them in a form that sends itself, signed, under a policy that lets it go there (%s)",
    async (name) => {
      const browser = door.browser();
      const page = await browser.get(`/saml/${name}/login?return_to=/account`);
      const { form, root, policy } = sent(page, name);
      expect(form.action).toBe("https://idp.example.org/sso");
      expect(root.name).toBe("AuthnRequest");
      expect(root.attributes.get("Destination")).toBe("https://idp.example.org/sso");
      expect(policy).toContain("form-action 'self' https:;");
      expect(policy).toContain("script-src 'self';");
      expect(page.text).toContain('src="/login/public/leave.js"');
      expect(page.text).not.toMatch(/<script>|onload=/);
      expect((await browser.get("/login/public/leave.js")).text).toContain("submit()");
      // Its policy is that page's alone.
      expect((await browser.get("/login")).headers.get("content-security-policy")).toContain("form-action 'self';");
      const { userName } = await door.newPerson();
      expect(await isIn(await signIn(name, userName))).toBe(true);
    },
  );

  test("is not used where there is a redirect; a key of EC signs the query, and nothing is offered to be encrypted for it", async () => {
    const { url } = await begin(door.browser(), "redirected");
    expect(url.searchParams.get("SigAlg")).toBe("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256");
    expect(own("redirected").xml).not.toContain('use="encryption"');
    expect(own("posted").xml).toContain('use="encryption"');
  });

  test("is told by a form, too, that somebody signs out, once, and takes our answer by one, with its RelayState as text", async () => {
    const { userName } = await door.newPerson();
    const browser = await signIn("posted", userName);
    await browser.get("/account");
    const { location } = await browser.submit("/logout");
    const { root } = sent(await browser.get(location ?? ""), "posted");
    expect(root.name).toBe("LogoutRequest");
    expect((await browser.get(location ?? "")).location).toBe("/login");

    const again = await signIn("posted", userName);
    const RelayState = `"><script>alert(1)</script>`;
    const answer = await post(again, own("posted").sloUrl, { SAMLRequest: logoutRequest("posted", userName), RelayState });
    expect(answer.text).not.toContain("<script>alert");
    const response = sent(answer, "posted");
    expect(response.root.name).toBe("LogoutResponse");
    expect(response.form.fields["RelayState"]).toContain("script");
    expect(await isIn(again)).toBe(false);
  });

  test("names somebody encrypted in its request; sent again, to another connection, or by another, it ends nothing", async () => {
    const { userName } = await door.newPerson();
    const [browser, elsewhere] = [await signIn("posted", userName), await signIn("elliptic", userName)];
    const ours = { publicKey: "", privateKey: "", certificate: "" };
    const certificate = new X509Certificate(Buffer.from(own("posted").certificates[0] ?? "", "base64"));
    const us = {
      ...ours,
      certificate: certificate.toString(),
      publicKey: certificate.publicKey.export({ type: "spki", format: "pem" }).toString(),
    };
    const hidden = await encrypted(
      `<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">${userName}</saml:NameID>`,
      us,
      "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
      "EncryptedID",
    );
    const SAMLRequest = logoutRequest("posted", hidden);
    const forged = logoutRequest("posted", hidden, newKeys("other", { curve: "P-256" }).privateKey);
    expect((await post(browser, own("posted").sloUrl, { SAMLRequest: forged })).status).toBe(403);
    expect((await post(browser, own("elliptic").sloUrl, { SAMLRequest })).status).toBe(403);
    expect([await isIn(browser), await isIn(elsewhere)]).toEqual([true, true]);
    expect((await post(browser, own("posted").sloUrl, { SAMLRequest })).status).toBe(200);
    expect([await isIn(browser), await isIn(elsewhere)]).toEqual([false, true]);
    const next = await signIn("posted", userName);
    expect((await post(next, own("posted").sloUrl, { SAMLRequest })).status).toBe(403);
    expect(await isIn(next)).toBe(true);
  });
});

/** Signed by the identity provider, in base64. */
function logoutRequest(name: string, subject: string, key = idp.privateKey): string {
  const nameId = subject.startsWith("<") ? subject : `<saml:NameID>${subject}</saml:NameID>`;
  const xml = `<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="${newId()}" Version="2.0" IssueInstant="${now().toISOString()}" Destination="${own(name).sloUrl}"><saml:Issuer>${IDP}</saml:Issuer>${nameId}</samlp:LogoutRequest>`;
  return encoded(signed(xml, { key, element: "LogoutRequest" }));
}

test("G6: a session lasts no longer than the one at the identity provider, and is not begun after that", async () => {
  const { userName } = await door.newPerson();
  const until = new Date(now().getTime() + 600_000);
  const browser = await signIn("posted", userName, { sessionUntil: until.toISOString() });
  const other = await signIn("posted", userName);
  const ends = await door.db.pool.query<{ ends: Date }>(
    "select expires_at as ends from sessions s join people p on p.id = s.person_id where user_name = $1 order by expires_at",
    [userName],
  );
  expect(ends.rows[0]?.ends).toEqual(until);
  expect(ends.rows[1]?.ends.getTime()).toBeGreaterThan(until.getTime());
  expect(await isIn(browser)).toBe(true);
  // Between the answer and the last step.
  const slow = door.browser();
  const { id } = sent(await slow.get("/saml/posted/login"), "posted");
  const SAMLResponse = answerOf({
    key: idp,
    own: own("posted"),
    now: now(),
    nameId: userName,
    inResponseTo: id,
    sessionUntil: until.toISOString(),
  });
  expect((await post(slow, own("posted").acsUrl, { SAMLResponse })).location).toBe("/login/next");
  door.clock.forward(601_000);
  expect((await slow.get("/login/next")).status).toBe(403);
  expect([await isIn(slow), await isIn(browser), await isIn(other)]).toEqual([false, false, true]);
});
