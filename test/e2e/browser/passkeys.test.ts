import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import { requireFactor } from "../../../src/auth/factors/requirements.ts";
import { chromiumIsHere, openChromium, type Chromium } from "../../helpers/chromium.ts";
import { openLogin, PASSWORD, type LoginDoor } from "../../http/login/login-door.ts";
import { giveAuthenticator } from "./authenticator.ts";
import { arrived, enterPassword, press, reads } from "./pages.ts";

(chromiumIsHere() ? describe : describe.skip)("passkeys, in Chromium with an authenticator of its own", () => {
  let door: LoginDoor;
  let chromium: Chromium;

  beforeAll(async () => {
    door = await openLogin({ browsed: true });
    chromium = await openChromium(door.url);
  });
  afterEach(() => expect(chromium.complaints()).toEqual([]));
  afterAll(async () => {
    await chromium?.close();
    await door?.close();
  });

  const enter = (page: Page, name: string) => enterPassword(page, { url: door.url, name });

  /** Somebody who must have a factor, and makes a passkey on the way in. */
  async function withPasskey() {
    const person = await door.newPerson();
    await door.work((work) => requireFactor(work, { subject: { personId: person.personId }, reason: "policy" }));
    const page = await chromium.visitor();
    const authenticator = await giveAuthenticator(page);
    await enter(page, person.userName);
    await press(page, "Make a passkey");
    await page.getByLabel("What you call it").fill("My laptop");
    await press(page, "Make a passkey");
    await arrived(page, "Recovery codes");
    await press(page, "I have kept them");
    await reads(page, `You are signed in as ${person.userName}.`);
    expect(await authenticator.kept()).toBe(1);
    return { ...person, page, authenticator };
  }

  test("G3: a passkey is made on the way in and is the second factor afterwards; who does not verify is refused", async () => {
    const { userName, page, authenticator } = await withPasskey();
    await press(page, "Sign out");
    await arrived(page, "Sign in");
    await enter(page, userName);
    await arrived(page, "Second factor");
    await press(page, "Use my passkey");
    await reads(page, `You are signed in as ${userName}.`);
    await press(page, "Second factors");
    await reads(page, "My laptop");
    await press(page, "Add a second factor");
    await press(page, "Make a passkey");
    await press(page, "Make a passkey");
    await page.getByRole("alert").filter({ hasText: "there is one for this account here already" }).waitFor();
    expect(await authenticator.kept()).toBe(1);
  });

  test("G2, G3: a passkey alone lets in, name and password unasked, and only when its user is verified", async () => {
    const { userName, page, authenticator } = await withPasskey();
    await press(page, "Sign out");
    await arrived(page, "Sign in");
    await authenticator.verifies(false);
    await page.goto(`${door.url}/account/factors`);
    await press(page, "Sign in with a passkey");
    await page.getByRole("alert").waitFor();
    await page.goto(`${door.url}/account`);
    await arrived(page, "Sign in");
    await authenticator.verifies(true);
    await page.goto(`${door.url}/login?return_to=%2Faccount%2Ffactors`);
    await press(page, "Sign in with a passkey");
    await arrived(page, "Second factors");
    door.clock.forward(11 * 60_000);
    await page.reload();
    await arrived(page, "Second factor");
    await press(page, "Use my passkey");
    await arrived(page, "Second factors");
    await press(page, "My account");
    await reads(page, `You are signed in as ${userName}.`);
  });

  test("G3: who has no passkey on a device is told so in their language, and signs in otherwise on the same page", async () => {
    const { userName } = await door.newPerson();
    const page = await chromium.visitor({ language: "fi", dark: true });
    await giveAuthenticator(page);
    await page.goto(`${door.url}/login`);
    await page.locator("#passkey").click();
    await page.getByRole("alert").filter({ hasText: "Pääsyavainta ei käytetty" }).waitFor();
    await page.getByLabel("Käyttäjätunnus tai sähköpostiosoite").fill(userName);
    await press(page, "Jatka");
    await page.getByLabel("Salasana").fill(PASSWORD);
    await press(page, "Kirjaudu sisään");
    await arrived(page, "Tilini");
  });

  test("G2, G3: a browser that can't show one, or runs no scripts, is offered no passkey on the first page", async () => {
    const [plain, old] = [await chromium.visitor({ javaScript: false }), await chromium.visitor()];
    await old.addInitScript({ content: "delete window.PublicKeyCredential;" });
    for (const page of [plain, old]) {
      await page.goto(`${door.url}/login`);
      await arrived(page, "Sign in");
      expect(await page.locator("#passkey").isVisible()).toBe(false);
    }
  });
});
