import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import { handOutLink } from "../../../src/auth/links/hand-out.ts";
import { setTemporaryPassword } from "../../../src/auth/passwords/set.ts";
import { createLocalPerson } from "../../../src/sync/local-people.ts";
import { chromiumIsHere, openChromium, type Chromium } from "../../helpers/chromium.ts";
import { PASSWORD } from "../../http/login/login-door.ts";
import { keyRing } from "../../http/scim/door.ts";
import { openMailedDoor, type MailedDoor } from "./mailed-door.ts";
import { arrived, enterPassword, fill, press, reads } from "./pages.ts";

const OTHER = "seven bold herons whisper";
const FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";

(chromiumIsHere() ? describe : describe.skip)("signing in by a password, in Chromium", () => {
  let door: MailedDoor;
  let chromium: Chromium;

  beforeAll(async () => {
    door = await openMailedDoor();
    chromium = await openChromium(door.url);
  });
  afterEach(() => expect(chromium.complaints()).toEqual([]));
  afterAll(async () => {
    await chromium?.close();
    await door?.close();
  });

  const invited = (userName: string) => door.work((work) => createLocalPerson(work, { contribution: { userName }, state: "invited" }));
  const linkFor = async (personId: string, purpose: "invitation" | "reset") =>
    (
      await door.work((work) =>
        handOutLink(work, { personId, purpose, delivery: "show", keyRing, settings: door.settings, baseUrl: door.url }),
      )
    ).link ?? "";
  const choose = async (page: Page, password: string, again = password) => {
    await fill(page, { "New password": password, "The same once more": again });
    await press(page, "Save the password");
  };
  const enter = async (page: Page, name: string, password?: string) => {
    await enterPassword(page, { url: door.url, name, ...(password === undefined ? {} : { password }) });
    await reads(page, `You are signed in as ${name}.`);
  };

  test("what is wrong with a page is complained about", async () => {
    const page = await chromium.visitor();
    const body = `<title>Wrong</title><input name="x"><p style="color: #ccc; width: 400px" id="a">faint</p><b id="a">bold</b>`;
    await page.route(`${door.url}/wrong`, (route) =>
      route.fulfill({
        contentType: "text/html",
        headers: { "Content-Security-Policy": "style-src 'unsafe-inline'; script-src 'none'" },
        body: `${body}<script>1</script>`,
      }),
    );
    await page.goto(`${door.url}/wrong`);
    const complaints = chromium.complaints().join("\n");
    for (const wrong of ["forbids script-src", "pixels wide", "language", "heading", "id a", "field x", "stands out"])
      expect(complaints).toContain(wrong);
  });

  test("G2, G6: a wrong password is refused, the right one lets in where one wanted to go, and signing out ends it", async () => {
    const { userName } = await door.newPerson();
    const page = await chromium.visitor();
    await page.goto(`${door.url}/account/notices`);
    await fill(page, { "User name or e-mail address": userName });
    await press(page, "Continue");
    await fill(page, { Password: "not this one" });
    await press(page, "Sign in");
    await reads(page, "The name or the password is wrong");
    await fill(page, { Password: PASSWORD });
    await press(page, "Sign in");
    await arrived(page, "Messages");
    await page.getByLabel("I was given a role").setChecked(false);
    await press(page, "Save");
    await reads(page, "Your choice was saved.");
    await press(page, "Sign out");
    await arrived(page, "Sign in");
    await page.goBack();
    await arrived(page, "Sign in");
  });

  test("G1, G2: an invitation is opened by its link, or by pasting it where there is no script", async () => {
    const link = await linkFor(await invited("grace"), "invitation");
    const page = await chromium.visitor();
    await page.goto(link);
    await reads(page, "Welcome.");
    expect(page.url()).not.toContain("#");
    await choose(page, "grace-123");
    await reads(page, "It needs at least 12 characters.");
    await choose(page, OTHER, PASSWORD);
    await reads(page, "It is not the same twice.");
    await choose(page, OTHER);
    await reads(page, "Your password is saved.");
    await enter(page, "grace", OTHER);

    const pasted = await linkFor(await invited("hedy"), "invitation");
    const plain = await chromium.visitor({ javaScript: false });
    await plain.goto(pasted);
    await fill(plain, { "The code of your link": pasted });
    await press(plain, "Continue");
    await choose(plain, OTHER);
    await reads(plain, "Your password is saved.");
    await enter(plain, "hedy", OTHER);
  });

  test("G2: who forgot the password gets a mail, and chooses another by its link", async () => {
    await door.newPerson({ userName: "ida", email: "ida@example.com" });
    const page = await chromium.visitor();
    await page.goto(`${door.url}/login`);
    await fill(page, { "User name or e-mail address": "ida" });
    await press(page, "Continue");
    await press(page, "I forgot my password");
    await fill(page, { "User name or e-mail address": "ida" });
    await press(page, "Send the link");
    await reads(page, "a link is on its way");
    const link = await door.mailed("ida@example.com", /http:\/\/localhost:\d+\/login\/link#[\w-]+/);
    await page.goto(link);
    await choose(page, OTHER);
    await reads(page, "Your password is saved.");
    await page.goto("about:blank");
    await page.goto(link);
    await reads(page, "This link does not work");
    await enter(page, "ida", OTHER);
  });

  test("G2: a temporary password lets in only to choose another", async () => {
    const personId = await invited("mary");
    const { password } = await door.work((work) => setTemporaryPassword(work, { personId, keyRing, settings: door.settings.password }));
    const page = await chromium.visitor();
    await enterPassword(page, { url: door.url, name: "mary", password });
    await reads(page, "is temporary");
    await page.goto(`${door.url}/account`);
    await arrived(page, "Sign in");
    await page.goto(`${door.url}/login/next`);
    await choose(page, OTHER);
    await reads(page, "You are signed in as mary.");
  });

  test("G6: one's sessions are listed, and one that is ended is out at its next click; a changed password ends the others", async () => {
    const { userName } = await door.newPerson();
    const [here, there] = [await chromium.visitor(), await chromium.visitor({ userAgent: FIREFOX })];
    await enter(there, userName);
    await enter(here, userName);
    const row = here.getByRole("row").filter({ hasText: "Firefox" });
    await row.getByRole("button", { name: "Sign out there" }).click();
    await row.waitFor({ state: "detached" });
    await press(there, "Messages");
    await arrived(there, "Sign in");

    await enter(there, userName);
    await here.goto(`${door.url}/account`);
    await press(here, "Password");
    await fill(here, { "Present password": PASSWORD });
    await choose(here, OTHER);
    await reads(here, "Saved.");
    await press(there, "Sign out");
    await arrived(there, "Sign in");
    await press(here, "My account");
    await reads(here, `You are signed in as ${userName}.`);
  });

  test("G2: in Finnish, in the dark, and by the keyboard alone", async () => {
    const { userName } = await door.newPerson();
    const page = await chromium.visitor({ language: "fi", dark: true });
    await page.goto(`${door.url}/login`);
    await arrived(page, "Kirjaudu sisään");
    expect(await page.locator("html").getAttribute("lang")).toBe("fi");
    expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe("rgb(22, 25, 29)");
    const focused = () => page.evaluate<string>("document.activeElement?.getAttribute('name') ?? ''");
    const tabTo = async (name: string) => {
      for (let presses = 0; presses < 10 && (await focused()) !== name; presses += 1) await page.keyboard.press("Tab");
      expect(await focused()).toBe(name);
    };
    await tabTo("name");
    await page.keyboard.type(userName);
    await page.keyboard.press("Enter");
    await page.getByLabel("Salasana").waitFor();
    await tabTo("password");
    expect(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press("Enter");
    await arrived(page, "Tilini");
  });
});
