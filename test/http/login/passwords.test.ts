import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createRole } from "../../../src/access/roles.ts";
import { createRule } from "../../../src/access/rules.ts";
import { handOutLink } from "../../../src/auth/links/hand-out.ts";
import { sendReset } from "../../../src/auth/links/forgot.ts";
import { setTemporaryPassword } from "../../../src/auth/passwords/set.ts";
import { createUnit } from "../../../src/directory/units.ts";
import { createLocalPerson } from "../../../src/sync/local-people.ts";
import { followed } from "../followed.ts";
import { keyRing } from "../scim/door.ts";
import type { Browser } from "./browser.ts";
import { openLogin, PASSWORD, type LoginDoor } from "./login-door.ts";

const OTHER = "seven bold herons whisper";
const baseUrl = "https://rollcall.example.com";

let door: LoginDoor;
beforeAll(async () => {
  door = await openLogin({ signIn: { notify: { email: { provider: "smtp" } }, links: { resetEveryMinutes: 1 } } });
});
afterAll(() => door.close());

const invited = (userName: string) => door.work((work) => createLocalPerson(work, { contribution: { userName }, state: "invited" }));
const linkFor = async (personId: string, purpose: "invitation" | "reset") =>
  (await door.work((work) => handOutLink(work, { personId, purpose, delivery: "show", keyRing, settings: door.settings, baseUrl }))).link ??
  "";
/** What our script does with what stands behind `#`, or a reader who pastes the link. */
const openLink = async (browser: Browser, code: string) => {
  await browser.get("/login/link");
  return browser.submit("/login/link", { code });
};
const choose = (browser: Browser, code: string, password: string, again = password) =>
  browser.submit("/login/link/password", { code, password, again });

test("G1: an invited person opens the link, chooses a password, is active, and signs in with it", async () => {
  const personId = await invited("grace");
  const link = await linkFor(personId, "invitation");
  const browser = door.browser();
  const page = await browser.get("/login/link");
  expect(page.text).toContain('src="/login/public/link.js"');
  expect((await browser.get("/login/public/link.js")).headers.get("content-type")).toMatch(/javascript/);
  const opened = await openLink(browser, link);
  expect(opened).toMatchObject({ status: 200 });
  expect(opened.text).toContain('value="grace"');
  const weak = await choose(browser, link, "grace-123");
  expect(weak.status).toBe(422);
  expect(weak.text).toContain("It needs at least 12 characters.");
  expect(weak.text).toContain("It holds a name, a user name, an address or a number of yours.");
  expect(weak.text).not.toContain("grace-123");
  expect((await choose(browser, link, OTHER, PASSWORD)).text).toContain("It is not the same twice.");
  expect(await choose(browser, link, OTHER)).toMatchObject({ status: 200 });
  expect(await choose(browser, link, PASSWORD)).toMatchObject({ status: 403 });
  expect(await door.signIn(door.browser(), { name: "grace", password: OTHER })).toMatchObject({ status: 200 });
  expect(await door.signIn(door.browser(), { name: "grace", password: PASSWORD })).toMatchObject({ status: 401 });
});

test("G1, M3: who has answered an invitation is given what rules give to whoever is active, without anything else about them changing", async () => {
  await door.work(async (work) => {
    await createUnit(work, { name: "Company", code: "COMPANY" });
    await createRole(work, { key: "visitor", name: "Visitor" });
    await createRule(work, { name: "is here", condition: 'person.state == "active"', role: "visitor", unit: "COMPANY" });
  });
  const personId = await invited("hopper");
  const given = async () =>
    (await door.db.pool.query("select from grants where person_id = $1 and recorded_to is null and valid_to is null", [personId])).rowCount;
  const link = await linkFor(personId, "invitation");
  const browser = door.browser();
  await openLink(browser, link);
  expect([await given(), await followed(door)]).toEqual([0, 0]);
  expect(await choose(browser, link, OTHER)).toMatchObject({ status: 200 });
  expect([await followed(door), await given()]).toEqual([1, 1]);
});

test("G2: setting a password takes its turn among those that are looked at: who comes beyond the line is told to come again", async () => {
  const narrow = await openLogin({
    signIn: { password: { argon2: { memoryKiB: 64, passes: 1 }, verifications: { atOnce: 1, waiting: 1 } } },
  });
  const holding = await narrow.db.pool.connect();
  try {
    const personId = await narrow.work((work) => createLocalPerson(work, { contribution: { userName: "ida" }, state: "invited" }));
    const options = { personId, purpose: "invitation" as const, delivery: "show" as const, keyRing, settings: narrow.settings, baseUrl };
    const link = (await narrow.work((work) => handOutLink(work, options))).link ?? "";
    const browsers = Array.from({ length: 4 }, () => narrow.browser());
    for (const browser of browsers) await openLink(browser, link);
    // The first one that has its turn keeps it for as long as somebody else changes the person.
    await holding.query("begin");
    await holding.query("select from people where id = $1 for update", [personId]);
    let refused = 0;
    const answers = await Promise.all(
      browsers.map(async (browser) => {
        const answer = await choose(browser, link, OTHER);
        if (answer.status === 503 && (refused += 1) === 2) await holding.query("commit");
        return answer;
      }),
    );
    expect(answers.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([200, 403, 503, 503]);
    expect(Number(answers.find(({ status }) => status === 503)?.headers.get("retry-after"))).toBeGreaterThan(0);
  } finally {
    holding.release();
    await narrow.close();
  }
});

test("a dead link is said to be dead, in the reader's language, and nothing else of it", async () => {
  const browser = door.browser();
  const dead = await openLink(browser, "x".repeat(43));
  expect(dead).toMatchObject({ status: 403 });
  expect(dead.text).toContain("This link does not work");
  const { text } = await browser.get("/login/link", { "Accept-Language": "fi-FI, en;q=0.5" });
  expect(text).toContain("Avaa linkkisi");
  const { rows } = await door.db.pool.query("select outcome from sign_in_attempts where kind = 'link' and outcome = 'failed'");
  expect(rows.length).toBeGreaterThan(0);
});

test("G2: a temporary password lets an invited person in only to choose their own, which activates them", async () => {
  const personId = await invited("hedy");
  const { password } = await door.work((work) => setTemporaryPassword(work, { personId, keyRing, settings: door.settings.password }));
  const browser = door.browser();
  const must = await door.signIn(browser, { name: "hedy", password });
  expect(must.text).toContain("temporary");
  expect((await browser.get("/account")).location).toContain("/login");
  expect(await browser.submit("/login/change-password", { password: "hedy", again: "hedy" })).toMatchObject({ status: 422 });
  const done = await browser.follow(await browser.submit("/login/change-password", { password: OTHER, again: OTHER }));
  expect(done.text).toContain("You are signed in as");
  const { rows } = await door.db.pool.query("select state from people where id = $1", [personId]);
  expect(rows).toEqual([{ state: "active" }]);
  expect(await door.signIn(door.browser(), { name: "hedy", password })).toMatchObject({ status: 401 });
  expect((await browser.get("/login/change-password")).location).toBe("/login");
});

test("G2, G6: changing one's password needs the old one, gives this session another secret, and ends the others", async () => {
  const { personId, userName } = await door.newPerson();
  const [here, there] = [door.browser(), door.browser()];
  for (const browser of [here, there]) await door.signIn(browser, { name: userName });
  const before = here.cookies.get("__Host-rollcall");
  await here.get("/account/password");
  const wrong = await here.submit("/account/password", { current: OTHER, password: OTHER, again: OTHER });
  expect(wrong).toMatchObject({ status: 401 });
  const same = await here.submit("/account/password", { current: PASSWORD, password: PASSWORD, again: PASSWORD });
  expect(same.text).toContain("You have used it before");
  expect(await here.submit("/account/password", { current: PASSWORD, password: OTHER, again: OTHER })).toMatchObject({
    location: "/account?done",
  });
  expect(here.cookies.get("__Host-rollcall")).not.toBe(before);
  expect(await here.get("/account")).toMatchObject({ status: 200 });
  expect(await there.get("/account")).toMatchObject({ status: 303 });
  const thief = door.browser();
  thief.cookies.set("__Host-rollcall", before ?? "");
  expect(await thief.get("/account")).toMatchObject({ status: 303 });
  const { rows } = await door.db.pool.query("select notice from notices where person_id = $1 and notice = 'password.changed'", [personId]);
  expect(rows).toHaveLength(1);
});

test("G2: a sign-in under way with the old password ends with it", async () => {
  const { userName, personId } = await door.newPerson();
  const thief = door.browser();
  await thief.get("/login");
  await thief.submit("/login", { name: userName });
  await thief.submit("/login/password", { name: userName, password: PASSWORD });
  const owner = door.browser();
  const link = await linkFor(personId, "reset");
  await openLink(owner, link);
  await choose(owner, link, OTHER);
  expect(await thief.get("/login/next")).toMatchObject({ location: "/login" });
});

test("G2: whoever forgot, known or not, is told the same, and the same is written down", async () => {
  const { userName } = await door.newPerson({ email: "ida@example.com" });
  const sso = await door.newPerson({ password: null });
  const answers = [];
  for (const name of [userName, "ida@example.com", sso.userName, "nobody-at-all"]) {
    const browser = door.browser();
    await browser.get("/login/forgot");
    const { status, text } = await browser.submit("/login/forgot", { name });
    answers.push({ status, text });
  }
  expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
  const { rows } = await door.db.pool.query<{ payload: { name: string } }>(
    `select j.payload from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id where t.identifier = 'send_reset' order by j.id`,
  );
  expect(rows).toHaveLength(4);
  const sent = [];
  for (const { payload } of rows)
    sent.push(await door.work((work) => sendReset(work, { name: payload.name, keyRing, settings: door.settings, baseUrl })));
  expect(sent.filter(Boolean)).toHaveLength(1);
});

test("forms of these pages from another site are refused", async () => {
  const personId = await invited("rita");
  const link = await linkFor(personId, "invitation");
  const browser = door.browser();
  await browser.get("/login/link");
  const foreign = { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" };
  for (const path of ["/login/link", "/login/link/password", "/login/forgot"])
    expect(await browser.submit(path, { code: link, name: "rita", password: OTHER, again: OTHER }, foreign)).toMatchObject({ status: 403 });
  expect(await browser.submit("/login/link/password", { code: link, password: OTHER, again: OTHER, csrf: "x" })).toMatchObject({
    status: 403,
  });
});
