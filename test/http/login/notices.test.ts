import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { noticeChoices } from "../../../src/directory/notice-preferences.ts";
import { openLogin, type LoginDoor } from "./login-door.ts";

let door: LoginDoor;
beforeAll(async () => (door = await openLogin()), 60_000);
afterAll(() => door?.close());

test("G7: on their own page people tick the messages they want; a form of another site changes nothing", async () => {
  const { personId, userName } = await door.newPerson();
  const browser = door.browser();
  await door.signIn(browser, { name: userName });
  const page = await browser.get("/account/notices");
  expect(page.status).toBe(200);
  expect(page.text).toMatch(/name="grant.ends_soon"\s+checked/);
  expect(page.text).not.toMatch(/name="grant.given"\s+checked/);
  const saved = await browser.follow(await browser.submit("/account/notices", { "grant.given": "on" }));
  expect(saved.text).toContain("Your choice was saved.");
  const now = () => noticeChoices(door.db.pool, personId);
  const chosen = [
    { notice: "grant.given", wanted: true },
    { notice: "grant.ends_soon", wanted: false },
  ];
  expect(await now()).toEqual(chosen);
  expect((await browser.submit("/account/notices", {}, { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" })).status).toBe(
    403,
  );
  expect((await browser.submit("/account/notices", { "password.changed": "on" })).status).toBe(422);
  expect(await now()).toEqual(chosen);
});
