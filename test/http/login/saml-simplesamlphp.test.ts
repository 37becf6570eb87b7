import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { newKeys } from "../../auth/saml/signer.ts";
import { startSimpleSamlPhp, type SimpleSamlPhp } from "../../counterparts/simplesamlphp/server.ts";
import { openVisitor } from "../../counterparts/simplesamlphp/visitor.ts";
import { COOKIES } from "../../../src/http/login/cookies.ts";
import { openLogin, type LoginDoor } from "./login-door.ts";
import { addSaml, begin, ownMetadataOf, post, type Own } from "./saml-door.ts";

const CREDENTIALS = { username: "ada", password: "ada-password" };
let door: LoginDoor;
let provider: SimpleSamlPhp;
let own: Own;

const settings = () => ({ metadataUrl: provider.metadataUrl, signed: "both" as const, nameIdFormat: "persistent" as const });
const knows = (encrypt: boolean) => {
  const { entityId, acsUrl, sloUrl, certificates } = own;
  return provider.knows({ entityId, acsUrl, sloUrl, certificate: certificates[0] ?? "", encrypt });
};

beforeAll(async () => {
  door = await openLogin();
  provider = await startSimpleSamlPhp({
    keys: newKeys("identity provider"),
    users: { ada: { password: "ada-password", attributes: { uid: ["ada"], mail: ["ada@example.org"], groups: ["eng", "admins"] } } },
  });
  await addSaml(door, { name: "ssp", settings: settings() });
  own = await ownMetadataOf(door, "ssp");
  await knows(false);
}, 60_000);
afterAll(async () => {
  await provider?.stop();
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

describe("SimpleSAMLphp", () => {
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
