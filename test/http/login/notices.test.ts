import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { noticeChoices } from "../../../src/directory/notice-preferences.ts";
import { personKeys } from "../../../src/directory/personal.ts";
import { unsubscribeToken } from "../../../src/directory/unsubscribing.ts";
import { keyRing } from "../scim/door.ts";
import { openLogin, type LoginDoor } from "./login-door.ts";

let door: LoginDoor;
beforeAll(async () => (door = await openLogin()));
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
    { notice: "token.stopped", wanted: false },
  ];
  expect(await now()).toEqual(chosen);
  expect((await browser.submit("/account/notices", {}, { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" })).status).toBe(
    403,
  );
  expect((await browser.submit("/account/notices", { "password.changed": "on" })).status).toBe(422);
  expect(await now()).toEqual(chosen);
});

test("G7: one click in a mail turns that kind off, from a page or by the mail program (RFC 8058); looking at it does not", async () => {
  const { personId } = await door.newPerson();
  const key = await door.work(async (work) => (await personKeys(work, keyRing, [personId])).get(personId));
  if (!key) throw new Error("no key");
  const path = `/unsubscribe/${unsubscribeToken(key, { personId, notice: "grant.ends_soon" })}`;
  const wanted = async () => (await noticeChoices(door.db.pool, personId)).find(({ notice }) => notice === "grant.ends_soon")?.wanted;
  const stranger = door.browser();
  const page = await stranger.get(path);
  expect([page.status, await wanted()]).toEqual([200, true]);
  expect(page.text).toContain("One of my roles ends soon");
  for (const type of ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]) {
    await door.db.pool.query("delete from notice_preferences");
    const body = type.startsWith("multipart")
      ? '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
      : "List-Unsubscribe=One-Click";
    const answer = await fetch(`${door.url}${path}`, { method: "POST", headers: { "Content-Type": type }, body, redirect: "manual" });
    expect([type, answer.status, await wanted()]).toEqual([type, 200, false]);
  }
  const { rows } = await door.db.pool.query<{ actor: string }>(
    "select actor from audit_events where name = 'notice.chosen' and subject_id = $1",
    [personId],
  );
  expect(rows[0]).toEqual({ actor: "system" });
  await door.db.pool.query("delete from person_keys where person_id = $1", [personId]);
  for (const dead of [path, `${path}x`, "/unsubscribe/x", `/unsubscribe/${"%00".repeat(20)}`]) {
    const answer = await fetch(`${door.url}${dead}`, { method: "POST" });
    expect([dead, answer.status]).toEqual([dead, 403]);
    expect((await stranger.get(dead)).text).toContain("does not work any more");
  }
});
