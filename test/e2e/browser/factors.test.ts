import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { Secret, TOTP } from "otpauth";
import type { Page } from "playwright-core";
import { giveGrant } from "../../../src/access/grants.ts";
import { requireFactor } from "../../../src/auth/factors/requirements.ts";
import { createUnit } from "../../../src/directory/units.ts";
import { chromiumIsHere, openChromium, type Chromium } from "../../helpers/chromium.ts";
import { PASSWORD } from "../../http/login/login-door.ts";
import { openMailedDoor, type MailedDoor } from "./mailed-door.ts";
import { arrived, enterPassword, fill, press, reads } from "./pages.ts";

const MINUTE = 60_000;
/** Of the app's codes each is good once. */
const NEXT_CODE = 30_000;

(chromiumIsHere() ? describe : describe.skip)("second factors, in Chromium", () => {
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

  const codeOf = (key: string) => new TOTP({ secret: Secret.fromBase32(key) }).generate({ timestamp: door.clock.now().getTime() });
  const enter = (page: Page, name: string) => enterPassword(page, { url: door.url, name });

  /** From the choices to the recovery codes, by what the page shows. */
  async function addApp(page: Page): Promise<{ key: string; codes: string[] }> {
    await press(page, "Set up an app");
    const key = ((await page.locator("#key").textContent()) ?? "").replaceAll(" ", "");
    expect(await page.locator(".qr svg").count()).toBe(1);
    await fill(page, { "Code that the app shows": codeOf(key), "What you call it": "My telephone" });
    await press(page, "Add");
    await arrived(page, "Recovery codes");
    const codes = await page.locator("#recovery-codes li").allTextContents();
    await press(page, "I have kept them");
    return { key, codes };
  }
  const showCode = async (page: Page, key: string) => {
    door.clock.forward(NEXT_CODE);
    await fill(page, { "Code that your authenticator app shows": codeOf(key) });
    await page.locator("form[action$=totp] button").click();
  };

  test("G3: an app is added on the account page and asked for at the next sign-in; a recovery code lets in once", async () => {
    const { userName } = await door.newPerson();
    const page = await chromium.visitor();
    await enter(page, userName);
    await press(page, "Second factors");
    await reads(page, "You have none yet.");
    await press(page, "Add a second factor");
    const { key, codes } = await addApp(page);
    await reads(page, "My telephone");
    await reads(page, "Codes that are left: 10.");

    const again = await chromium.visitor({ dark: true });
    await enter(again, userName);
    await arrived(again, "Second factor");
    await fill(again, { "Code that your authenticator app shows": "000000" });
    await again.locator("form[action$=totp] button").click();
    await reads(again, "This was wrong");
    await showCode(again, key);
    await reads(again, `You are signed in as ${userName}.`);

    for (const outcome of [`You are signed in as ${userName}.`, "This was wrong"]) {
      const lost = await chromium.visitor();
      await enter(lost, userName);
      await lost.getByText("Use a recovery code").first().click();
      await lost.getByRole("textbox", { name: "Use a recovery code" }).fill(codes[0] ?? "");
      await lost.locator("form[action$=recovery] button").click();
      await reads(lost, outcome);
    }
  });

  test("G3: who holds a role that needs one is led to add it on the way in, and never in without; also without scripts", async () => {
    const { personId, userName } = await door.newPerson();
    await door.work(async (work) => {
      const unit = await createUnit(work, { name: "Help desk", type: "department" });
      const { rows } = await work.sql.query<{ id: string }>("select id from roles where key = 'rollcall-help-desk'");
      const roleId = rows[0]?.id ?? "";
      await giveGrant(work, { personId, role: "rollcall-help-desk", unit });
      await requireFactor(work, { subject: { roleId }, reason: "policy" });
    });
    const page = await chromium.visitor({ javaScript: false });
    await enter(page, userName);
    await reads(page, "Your account needs a second factor.");
    await page.goto(`${door.url}/account`);
    await arrived(page, "Sign in");
    await page.goto(`${door.url}/login/next`);
    const { key } = await addApp(page);
    await reads(page, `You are signed in as ${userName}.`);
    await press(page, "Sign out");
    await arrived(page, "Sign in");
    await enter(page, userName);
    await showCode(page, key);
    await reads(page, `You are signed in as ${userName}.`);
  });

  test("G3: a code by e-mail is confirmed first, and lets in afterwards", async () => {
    const { userName } = await door.newPerson();
    const page = await chromium.visitor({ dark: true });
    await enter(page, userName);
    await press(page, "Second factors");
    await press(page, "Add a second factor");
    await fill(page, { "E-mail address": "joan@example.com" });
    await press(page, "Send a code");
    await reads(page, "A code was sent to j…@example.com.");
    await fill(page, { Code: await door.mailed("joan@example.com", /\b\d{6}\b/) });
    await press(page, "Add");
    await press(page, "I have kept them");
    await reads(page, "j…@example.com");

    const again = await chromium.visitor();
    await enter(again, userName);
    await press(again, "Send a code to j…@example.com");
    await fill(again, { Code: await door.mailed("joan@example.com", /\b\d{6}\b/) });
    await again.locator("form[action$=code] button").click();
    await reads(again, `You are signed in as ${userName}.`);
  });

  test("G6: after a while factors are changed only with a fresh proof, by the password or else by the factor", async () => {
    const { userName } = await door.newPerson();
    const page = await chromium.visitor();
    await enter(page, userName);
    door.clock.forward(11 * MINUTE);
    await press(page, "Second factors");
    await arrived(page, "Prove that it is you");
    await fill(page, { Password: "not this one" });
    await press(page, "Go on");
    await reads(page, "is wrong");
    await fill(page, { Password: PASSWORD });
    await press(page, "Go on");
    await press(page, "Add a second factor");
    const { key } = await addApp(page);
    door.clock.forward(11 * MINUTE);
    await page.getByRole("button", { name: "Remove My telephone" }).click();
    await arrived(page, "Second factor");
    await showCode(page, key);
    await press(page, "Second factors");
    await page.getByRole("button", { name: "Remove My telephone" }).click();
    await reads(page, "You have none yet.");
  });
});
