import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import { CLIENT, startCertifiedProvider, type CertifiedProvider } from "../../counterparts/oidc/certified-provider.ts";
import { chromiumIsHere, openChromium, type Chromium } from "../../helpers/chromium.ts";
import { openLogin, type LoginDoor } from "../../http/login/login-door.ts";
import { addOidc } from "../../http/login/oidc-door.ts";
import { arrived, fill, press, reads } from "./pages.ts";

/** The provider's own pages: it asks once more, and says that it is done. */
const LOGOUT_PAGES = {
  enabled: true,
  logoutSource: (page: { body: unknown }, form: string) =>
    void (page.body = `<!doctype html>${form}<button form="op.logoutForm" name="logout" value="yes">Yes, sign me out</button>`),
  postLogoutSuccessSource: (page: { body: unknown }) => void (page.body = "<!doctype html>You are signed out."),
};

(chromiumIsHere() ? describe : describe.skip)("a certified OpenID provider, in Chromium", () => {
  let door: LoginDoor;
  let provider: CertifiedProvider;
  let chromium: Chromium;

  beforeAll(async () => {
    door = await openLogin({ browsed: true });
    provider = await startCertifiedProvider({ rollcall: door.url, calledAt: door.url, features: { rpInitiatedLogout: LOGOUT_PAGES } });
    await addOidc(door, { settings: { ...CLIENT, issuer: provider.issuer, title: "Example ID", domains: ["corp.test"] } });
    provider.people.set("sub-fay", { email: "fay@corp.test", email_verified: true, name: "Fay", preferred_username: "fay" });
    chromium = await openChromium(door.url);
  });
  afterEach(() => expect(chromium.complaints()).toEqual([]));
  afterAll(async () => {
    await chromium?.close();
    await provider?.close();
    await door?.close();
  });

  /** Whom the provider takes the browser's owner for. */
  const fay = () => chromium.visitor({ headers: { "x-name": "sub-fay" } });
  async function signedIn(): Promise<Page> {
    const page = await fay();
    await page.goto(`${door.url}/login`);
    await press(page, "Sign in with Example ID");
    await reads(page, "You are signed in as Fay.");
    return page;
  }

  test("G4: the button leads to the provider and back, to where one wanted to go", async () => {
    await signedIn();
    const page = await fay();
    await page.goto(`${door.url}/account/notices`);
    await press(page, "Sign in with Example ID");
    await arrived(page, "Messages");
  });

  test("G4: an address of the provider's domain leads there from the form, as the page's policy lets it; with scripts and without", async () => {
    for (const javaScript of [true, false]) {
      const page = await chromium.visitor({ javaScript, headers: { "x-name": "sub-fay" } });
      await page.goto(`${door.url}/login`);
      await fill(page, { "User name or e-mail address": "fay@corp.test" });
      await press(page, "Continue");
      await reads(page, "You are signed in as Fay.");
    }
  });

  test("G6: signing out here goes on to the provider from the form, signs out there, and comes back", async () => {
    const page = await signedIn();
    await press(page, "Sign out");
    await page.waitForURL(`${provider.issuer}/session/end**`);
    await press(page, "Yes, sign me out");
    await arrived(page, "Sign in");
    expect(page.url()).toBe(`${door.url}/login`);
    await page.goto(`${door.url}/account`);
    await arrived(page, "Sign in");
  });

  test("G6: who signs out at the provider is out here at the next click, as the provider calls us", async () => {
    const page = await signedIn();
    const elsewhere = await page.context().newPage();
    await elsewhere.goto(`${provider.issuer}/session/end`);
    const calls = provider.calls.length;
    await press(elsewhere, "Yes, sign me out");
    await elsewhere.waitForURL(`${provider.issuer}/session/end/success**`);
    expect(provider.calls.slice(calls)).toEqual(["ok"]);
    await press(page, "Messages");
    await arrived(page, "Sign in");
  });
});
