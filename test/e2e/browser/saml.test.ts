import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import { newKeys } from "../../auth/saml/signer.ts";
import { simpleSamlPhpInstalled, startSimpleSamlPhp, type SimpleSamlPhp } from "../../counterparts/simplesamlphp/server.ts";
import { chromiumIsHere, openChromium, type Chromium } from "../../helpers/chromium.ts";
import { openLogin, type LoginDoor } from "../../http/login/login-door.ts";
import { addSaml, ownMetadataOf, type Own } from "../../http/login/saml-door.ts";
import { arrived, fill, press, reads } from "./pages.ts";

(chromiumIsHere() && simpleSamlPhpInstalled() ? describe : describe.skip)("SimpleSAMLphp, in Chromium", () => {
  let door: LoginDoor;
  let provider: SimpleSamlPhp;
  let own: Own;
  let chromium: Chromium;

  const connect = (more: Record<string, unknown> = {}) =>
    addSaml(door, {
      name: "ssp",
      settings: {
        metadataUrl: provider.metadataUrl,
        signed: "both",
        nameIdFormat: "persistent",
        title: "Example SAML",
        domains: ["corp.test"],
        ...more,
      },
    });

  beforeAll(async () => {
    door = await openLogin({ browsed: true });
    provider = await startSimpleSamlPhp({
      keys: newKeys("identity provider"),
      users: { ada: { password: "ada-password", attributes: { uid: ["ada"], mail: ["ada@corp.test"] } } },
    });
    await connect();
    own = await ownMetadataOf(door, "ssp");
    const { entityId, acsUrl, sloUrl, certificates } = own;
    await provider.knows({ entityId, acsUrl, sloUrl, certificate: certificates[0] ?? "", encrypt: true });
    chromium = await openChromium(door.url);
  });
  afterEach(() => expect(chromium.complaints()).toEqual([]));
  afterAll(async () => {
    await chromium?.close();
    await provider?.stop();
    await door?.close();
  });

  /** At the identity provider's own page. */
  async function proveThere(page: Page): Promise<void> {
    await page.locator("input[name=username]").fill("ada");
    await page.locator("input[name=password]").fill("ada-password");
    await page.locator("input[name=password]").press("Enter");
  }
  async function signedIn(): Promise<Page> {
    const page = await chromium.visitor();
    await page.goto(`${door.url}/login`);
    await press(page, "Sign in with Example SAML");
    await proveThere(page);
    await reads(page, "You are signed in as ada.");
    return page;
  }

  test("G4: begun here by the button, or by an address of the provider's domain, one comes back to where one wanted to go", async () => {
    await signedIn();
    const page = await chromium.visitor();
    await page.goto(`${door.url}/account/notices`);
    await fill(page, { "User name or e-mail address": "ada@corp.test" });
    await press(page, "Continue");
    await proveThere(page);
    await arrived(page, "Messages");
  });

  test("G4: begun there, it is taken only where the connection says so", async () => {
    const start = `${provider.url}/saml2/idp/SSOService.php?spentityid=${encodeURIComponent(own.entityId)}`;
    const page = await chromium.visitor();
    await page.goto(start);
    await proveThere(page);
    await arrived(page, "This did not work");
    await connect({ idpInitiated: true });
    await page.goto(start);
    await reads(page, "You are signed in as ada.");
    await connect();
  });

  test("G4, G6: an identity provider that takes requests by POST alone is gone to by a form that sends itself, and out again", async () => {
    await provider.speaks("HTTP-POST");
    try {
      // Other settings are read with metadata of their own.
      await connect({ entityId: `${new URL(provider.url).origin}/idp` });
      const page = await signedIn();
      await press(page, "Sign out");
      await arrived(page, "Sign in");
      await press(page, "Sign in with Example SAML");
      await page.locator("input[name=username]").waitFor();
    } finally {
      await provider.speaks("HTTP-Redirect");
      await connect();
    }
  });

  test("G6: signing out here goes on to the provider from the form and ends its session too", async () => {
    const page = await signedIn();
    await press(page, "Sign out");
    await arrived(page, "Sign in");
    expect(page.url()).toBe(`${door.url}/login`);
    await press(page, "Sign in with Example SAML");
    await page.locator("input[name=username]").waitFor();
  });

  test("G6: signing out there ends the session here", async () => {
    const page = await signedIn();
    const elsewhere = await page.context().newPage();
    const back = `${provider.url}/logout.php`;
    await elsewhere.goto(`${provider.url}/saml2/idp/SingleLogoutService.php?ReturnTo=${encodeURIComponent(back)}`);
    await elsewhere.waitForURL(back);
    await press(page, "Messages");
    await arrived(page, "Sign in");
  });
});
