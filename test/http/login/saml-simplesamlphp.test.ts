import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { checkWhole } from "../../../src/auth/check-connection.ts";
import { loadConnection } from "../../../src/connections/open.ts";
import { testContext } from "../../helpers/database.ts";
import { openDirectory, type Directory } from "../../helpers/ldap.ts";
import { keyRing } from "../scim/door.ts";
import { newKeys } from "../../auth/saml/signer.ts";
import { startSimpleSamlPhp, type SimpleSamlPhp } from "../../counterparts/simplesamlphp/server.ts";
import { formOf, openVisitor, type Leaving } from "../../counterparts/simplesamlphp/visitor.ts";
import { COOKIES } from "../../../src/http/login/cookies.ts";
import type { Answer, Browser } from "./browser.ts";
import { openLogin, type LoginDoor } from "./login-door.ts";
import { addSaml, begin, ownMetadataOf, post, type Own } from "./saml-door.ts";

const CREDENTIALS = { username: "ada", password: "ada-password" };
let door: LoginDoor;
let provider: SimpleSamlPhp;
let own: Own;
let directory: Directory;

const settings = () => ({ metadataUrl: provider.metadataUrl, signed: "both" as const, nameIdFormat: "persistent" as const });
const knows = (encrypt: boolean, { encryptNames = false } = {}) => {
  const { entityId, acsUrl, sloUrl, certificates } = own;
  return provider.knows({ entityId, acsUrl, sloUrl, certificate: certificates[0] ?? "", encrypt, encryptNames });
};

beforeAll(async () => {
  door = await openLogin();
  directory = await openDirectory();
  await directory.addPerson("ada");
  provider = await startSimpleSamlPhp({
    keys: newKeys("identity provider"),
    directory: { url: directory.url, dnPattern: `uid=%username%,${directory.people}` },
  });
  await addSaml(door, { name: "ssp", settings: settings() });
  own = await ownMetadataOf(door, "ssp");
  await knows(false);
});
afterAll(async () => {
  await provider?.stop();
  await directory?.stop();
  await door?.close();
});

/** Both browsers of one person: at our door, and at the identity provider. */
async function signIn() {
  const [browser, visitor] = [door.browser(), openVisitor(provider.url)];
  const { url } = await begin(browser, "ssp");
  const { form } = await visitor.visit(url.href, CREDENTIALS);
  expect(form?.action).toBe(own.acsUrl);
  const answer = await browser.follow(await post(browser, own.acsUrl, form?.fields ?? {}));
  return { browser, visitor, answer, form };
}

describe("SimpleSAMLphp, over people of slapd", () => {
  test("G4: a check says whether it knows us, by what it really answers", async () => {
    const connection = await loadConnection(door.db.pool, keyRing, "ssp");
    const baseUrl = new URL(own.acsUrl).origin;
    const check = async (base: string) => {
      const results = await checkWhole(testContext(), { db: door.db, keyRing, baseUrl: base, connection });
      return { all: results.every(({ ok }) => ok), request: results.find(({ name }) => name === "Sign-in request")?.message };
    };
    expect(await check(baseUrl)).toEqual({ all: true, request: `it knows us: its answer goes to ${own.acsUrl}` });
    expect((await check("http://127.0.0.1:1")).all).toBe(false);
  });

  test("G4: what the directory says stands in the account; who has another password there stays outside", async () => {
    const { answer } = await signIn();
    expect(answer.status).toBe(200);
    const { rows } = await door.db.pool.query<{ cn: string }>("select attributes ->> 'cn' as cn from accounts where native_id = 'ada'");
    expect(rows).toEqual([{ cn: "Person ada" }]);
    const [browser, visitor] = [door.browser(), openVisitor(provider.url)];
    const { url } = await begin(browser, "ssp");
    expect((await visitor.visit(url.href, { ...CREDENTIALS, password: "another" })).form).toBeUndefined();
  });

  test("G4, G6: by HTTP-POST alone, with names encrypted: in by a form, and out again both ways", async () => {
    await provider.speaks("HTTP-POST");
    await knows(false, { encryptNames: true });
    await addSaml(door, { name: "ssp", settings: { ...settings(), timeoutMs: 9000 } });
    await door.db.pool.query("delete from saml_providers");
    const enter = async () => {
      const [browser, visitor] = [door.browser(), openVisitor(provider.url)];
      const page = await browser.get("/saml/ssp/login");
      const { form } = await visitor.send(formAway(page.text), CREDENTIALS);
      expect(Buffer.from(form?.fields["SAMLResponse"] ?? "", "base64").toString()).toContain("EncryptedID");
      expect((await browser.follow(await post(browser, own.acsUrl, form?.fields ?? {}))).text).toContain("You are signed in as ada.");
      return { browser, visitor };
    };
    const here = await enter();
    await here.browser.get("/account");
    const out = await here.browser.get((await here.browser.submit("/logout")).location ?? "");
    expect(formAway(out.text).fields["SAMLRequest"]).toBeDefined();
    expect((await bring(here.browser, await here.visitor.send(formAway(out.text)))).location).toBe("/login");

    const there = await enter();
    const started = await there.visitor.visit(
      `${provider.url}/saml2/idp/SingleLogoutService.php?ReturnTo=${encodeURIComponent(`${provider.url}/logout.php`)}`,
    );
    const answered = await bring(there.browser, started);
    expect(formAway(answered.text).fields["SAMLResponse"]).toBeDefined();
    expect((await there.browser.get("/account")).status).toBe(303);
    await provider.speaks("HTTP-Redirect");
    await knows(false);
    await addSaml(door, { name: "ssp", settings: settings() });
    await door.db.pool.query("delete from saml_providers");
  });

  test("G4: signs in whom it knows, our request signed, and the assertion encrypted or not", async () => {
    const plain = await signIn();
    expect(plain.answer.text).toContain("You are signed in as ada.");
    await knows(true);
    await addSaml(door, { name: "ssp", settings: { ...settings(), requireEncryption: true } });
    const { answer, form } = await signIn();
    expect(Buffer.from(form?.fields["SAMLResponse"] ?? "", "base64").toString()).toContain("EncryptedAssertion");
    expect(answer.text).toContain("You are signed in as ada.");
    await knows(false);
    await addSaml(door, { name: "ssp", settings: settings() });
  });

  test("a sign-in that begins there is taken only where the connection says so", async () => {
    const begun = async () => {
      const [browser, visitor] = [door.browser(), openVisitor(provider.url)];
      const { form } = await visitor.visit(
        `${provider.url}/saml2/idp/SSOService.php?spentityid=${encodeURIComponent(own.entityId)}`,
        CREDENTIALS,
      );
      return { browser, answer: await post(browser, own.acsUrl, form?.fields ?? {}) };
    };
    expect((await begun()).answer.status).toBe(403);
    await addSaml(door, { name: "ssp", settings: { ...settings(), idpInitiated: true } });
    const { browser, answer } = await begun();
    expect((await browser.follow(answer)).text).toContain("You are signed in as ada.");
    await addSaml(door, { name: "ssp", settings: settings() });
  });

  test("G6: signing out here ends its session too, and signing out there ends ours", async () => {
    const here = await signIn();
    await here.browser.get("/account");
    const away = await here.browser.submit("/logout");
    const page = await here.browser.get(away.location ?? "");
    const { address } = await here.visitor.visit(/^0; url=(.+)$/.exec(page.headers.get("refresh") ?? "")?.[1] ?? "");
    expect(address).toContain("SAMLResponse=");
    const { pathname, search } = new URL(address ?? "");
    expect((await here.browser.get(`${pathname}${search}`)).location).toBe("/login");
    // Its session is over: the next sign-in asks for the password again.
    const { url } = await begin(here.browser, "ssp");
    expect(await here.visitor.visit(url.href)).toEqual({ asks: true });

    const there = await signIn();
    expect((await there.browser.get("/account")).status).toBe(200);
    const leaving = await there.visitor.visit(
      `${provider.url}/saml2/idp/SingleLogoutService.php?ReturnTo=${encodeURIComponent(`${provider.url}/logout.php`)}`,
    );
    const request = new URL(leaving.address ?? "");
    expect(request.searchParams.has("SAMLRequest")).toBe(true);
    const answered = await there.browser.get(`${request.pathname}${request.search}`);
    expect(answered.location).toContain("SAMLResponse=");
    expect((await there.browser.get("/account")).status).toBe(303);
    expect(there.browser.cookies.has(COOKIES.session)).toBe(true);
  });
});

/** The form of our page that leads to the identity provider. */
function formAway(text: string) {
  const form = formOf({ text: text.slice(text.indexOf("<main>")), url: own.acsUrl });
  if (!form) throw new Error(`this page leads nowhere: ${text.slice(0, 500)}`);
  return form;
}

/** Takes to us what the identity provider sent the browser away with, by whichever binding. */
async function bring(browser: Browser, { form, address }: Leaving): Promise<Answer> {
  if (form) return post(browser, form.action, form.fields);
  const { pathname, search } = new URL(address ?? "");
  return browser.get(`${pathname}${search}`);
}
