import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import { tellChanges } from "../../../src/auth/addresses/tell-changes.ts";
import { openNotice } from "../../../src/directory/notices.ts";
import { personKeys } from "../../../src/directory/personal.ts";
import { unsubscribeToken } from "../../../src/directory/unsubscribing.ts";
import { loadLanguages, type Translate } from "../../../src/notify/languages.ts";
import { chromiumIsHere, openChromium, type Chromium } from "../../helpers/chromium.ts";
import { openLogin, PASSWORD, type LoginDoor } from "../../http/login/login-door.ts";
import { keyRing } from "../../http/scim/door.ts";

const languages = loadLanguages();
/** A name that no line of a small telephone holds, and that has no place to break it. */
const LONG = `${"donaudampfschifffahrt".repeat(3)}@${"gesellschaft".repeat(4)}.example`;

(chromiumIsHere() ? describe : describe.skip)("pages in every language, in Chromium", () => {
  let door: LoginDoor;
  let chromium: Chromium;

  beforeAll(async () => {
    const notify = { email: { provider: "smtp" }, sms: { provider: "http", http: { url: "https://sms.example.com/", secret: "x" } } };
    door = await openLogin({ browsed: true, signIn: { notify, limits: { network: { attempts: 1000 } } } });
    chromium = await openChromium(door.url);
  }, 120_000);
  afterAll(async () => {
    await chromium?.close();
    await door?.close();
  });

  /** Where typing goes, and what is read out with it. */
  const focused = async (page: Page) => {
    const field = page.locator(":focus");
    const described = ((await field.getAttribute("aria-describedby")) ?? "").split(" ").filter(Boolean);
    const said = await Promise.all(described.map((id) => page.locator(`[id="${id}"]`).textContent()));
    return { name: await field.getAttribute("name"), autocomplete: await field.getAttribute("autocomplete"), said: said.join(" ") };
  };

  /** The link that the old address of somebody is sent, and that of a message that can be turned off. */
  async function linksOf(personId: string) {
    await door.work((work) => tellChanges(work, { keyRing, settings: door.settings.addresses, baseUrl: door.url }));
    const key = await door.work(async (work) => (await personKeys(work, keyRing, [personId])).get(personId));
    const { rows } = await door.db.pool.query<{ id: string; content: string }>(
      "select id, content from notices where person_id = $1 and notice = 'address.changed'",
      [personId],
    );
    const [told] = rows;
    if (!key || !told) throw new Error("nobody was told");
    return {
      told: String(openNotice(key, { id: told.id, sealed: told.content }).data["link"]),
      unsubscribe: `${door.url}/unsubscribe/${unsubscribeToken(key, { personId, notice: "grant.ends_soon" })}`,
    };
  }

  async function signIn(page: Page, { name, say }: { name: string; say: Translate }) {
    await page.goto(`${door.url}/login`);
    expect(await focused(page)).toMatchObject({ name: "name", autocomplete: "username webauthn" });
    await page.keyboard.type(name);
    await page.keyboard.press("Enter");
    await page.locator("#password").waitFor();
    expect(await focused(page)).toMatchObject({ name: "password", autocomplete: "current-password", said: "" });
    await page.keyboard.type("not this one");
    await page.keyboard.press("Enter");
    await page.locator("#problem").waitFor();
    expect(await focused(page)).toMatchObject({ name: "password", said: say("pages.sign_in.wrong") });
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press("Enter");
    await page.getByText(say("pages.account.sessions")).first().waitFor();
  }

  test.each(languages.tags)(
    "G2, G3: %s: every page fits a small telephone, says its language, and goes by the keyboard",
    async (language) => {
      const say = languages.translate(language);
      const { personId, userName } = await door.newPerson({ email: `${language}@old.example` });
      await door.db.pool.query("update people set email = $2, display_name = $3, modified_at = $4 where id = $1", [
        personId,
        `${language}@new.example`,
        LONG,
        door.clock.now(),
      ]);
      const { told, unsubscribe } = await linksOf(personId);
      const page = await chromium.visitor({ language });
      const titles = new Set<string>();
      const looksAt = async (path: string) => {
        await page.goto(path.startsWith("http") ? path : `${door.url}${path}`);
        expect([path, await page.getAttribute("html", "lang")]).toEqual([path, language]);
        titles.add(await page.title());
      };
      for (const path of ["/login", "/login/forgot", "/login/link", "/login/address", unsubscribe, "/login/next"]) await looksAt(path);
      await page.goto(told);
      await page.getByRole("button", { name: say("pages.address.not_mine") }).click();
      await page.getByText(say("pages.address.not_mine_done")).waitFor();
      await page.goto(`${door.url}/login/link#${"x".repeat(43)}`);
      await page.getByText(say("pages.link.dead")).waitFor();
      await signIn(page, { name: userName, say });
      await page.getByText(say("pages.account.signed_in_as", { name: LONG })).waitFor();
      expect(await page.locator("#problem").textContent()).toContain("n…@n….example".replace("n…@", `${language.slice(0, 1)}…@`));
      for (const path of ["/account", "/account/password", "/account/factors", "/account/factors/add", "/account/notices", "/logout"])
        await looksAt(path);
      await page.goto(`${door.url}/account/factors/add`);
      await page.getByRole("button", { name: say("pages.enrol.begin_totp") }).click();
      await page.locator("#code").fill("000000");
      await page.getByRole("button", { name: say("pages.enrol.finish") }).click();
      await page.locator("#problem").waitFor();
      expect(await focused(page)).toMatchObject({ name: "code", autocomplete: "one-time-code", said: say("pages.enrol.wrong") });
      expect(titles.size).toBeGreaterThanOrEqual(9);
      expect(chromium.complaints()).toEqual([]);
      await page.context().close();
    },
  );
});
