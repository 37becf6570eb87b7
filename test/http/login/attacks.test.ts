import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Secret, TOTP } from "otpauth";
import { z } from "zod";
import { requireFactor } from "../../../src/auth/factors/requirements.ts";
import { setPassword, setTemporaryPassword } from "../../../src/auth/passwords/set.ts";
import { endSessions } from "../../../src/auth/sessions/end.ts";
import { COOKIES } from "../../../src/http/login/cookies.ts";
import { keyRing } from "../scim/door.ts";
import type { Browser } from "./browser.ts";
import { openLogin, PASSWORD, type LoginDoor } from "./login-door.ts";

const IDLE_MINUTES = 5;
let door: LoginDoor;
beforeAll(
  async () => (door = await openLogin({ signIn: { session: { idleMinutes: IDLE_MINUTES }, limits: { network: { attempts: 1000 } } } })),
  60_000,
);
afterAll(() => door?.close());

const isIn = async (browser: Browser) => (await browser.get("/account")).status === 200;
const minutes = (count: number) => count * 60_000;
const codeOf = (secret: string) => new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: door.clock.now().getTime() });

/** Signed in, with an authenticator app. */
async function withApp(browser: Browser) {
  const person = await door.newPerson();
  await door.work((work) => requireFactor(work, { subject: { personId: person.personId }, reason: "policy" }));
  await door.signIn(browser, { name: person.userName });
  const begun = await browser.submit("/login/enrol/totp");
  const secret = (/id="key">([^<]+)</.exec(begun.text)?.[1] ?? "").replaceAll(" ", "");
  await browser.submit("/login/enrol/totp/finish", { code: codeOf(secret), label: "" });
  await browser.get("/login/next");
  door.clock.forward(60_000);
  return { ...person, secret };
}

/** The right name and password, and no further. */
async function halfway(browser: Browser, userName: string) {
  await browser.get("/login");
  expect((await browser.submit("/login/password", { name: userName, password: PASSWORD })).location).toBe("/login/next");
}

const WAITING = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;

async function until(holds: () => Promise<boolean>) {
  while (!(await holds())) await new Promise((later) => setTimeout(later, 10));
}

describe("redirects", () => {
  test.each([
    "/.//evil.example/",
    "/..//evil.example",
    "/x/..//evil.example",
    "/./\\evil.example",
    "/%2e//evil.example",
    "/%2e%2e//evil.example/a",
  ])("G6: %s leads nowhere else", async (bad) => {
    const { userName } = await door.newPerson();
    const browser = door.browser();
    await browser.get(`/login?return_to=${encodeURIComponent(bad)}`);
    const { location } = await browser.submit("/login/password", { name: userName, password: PASSWORD, return_to: bad });
    expect(browser.cookies.has(COOKIES.session)).toBe(true);
    expect(new URL(location ?? "", door.url).origin).toBe(door.url);
    // Who is signed in already is led on at once.
    const again = await browser.get(`/login?return_to=${encodeURIComponent(bad)}`);
    expect(new URL(again.location ?? "", door.url).origin).toBe(door.url);
  });
});

describe("proving oneself again", () => {
  test("G3, G6: it is finished only in the session in which it began", async () => {
    const here = door.browser();
    const { secret } = await withApp(here);
    const asked = await here.get("/login/step-up");
    expect(asked.location).toBe("/login/second-factor");
    const elsewhere = door.browser();
    elsewhere.cookies.set(COOKIES.signIn, here.cookies.get(COOKIES.signIn) ?? "");
    await elsewhere.get("/login/second-factor");
    await elsewhere.submit("/login/second-factor/totp", { code: codeOf(secret) });
    await elsewhere.get("/login/next");
    expect(elsewhere.cookies.has(COOKIES.session)).toBe(false);
    expect(await isIn(here)).toBe(true);
  });

  test("G3, G6: it brings no session back that was idle for too long", async () => {
    const browser = door.browser();
    const { secret } = await withApp(browser);
    await browser.get("/login/step-up");
    door.clock.forward(minutes(IDLE_MINUTES + 1));
    expect(await isIn(browser)).toBe(false);
    await browser.get("/login/second-factor");
    await browser.submit("/login/second-factor/totp", { code: codeOf(secret) });
    await browser.get("/login/next");
    expect(await isIn(browser)).toBe(false);
  });

  test("G3: who has nothing to prove it with is told so, and not led around for ever", async () => {
    const { userName, personId } = await door.newPerson();
    const browser = door.browser();
    await door.signIn(browser, { name: userName });
    await door.db.pool.query("delete from passwords where person_id = $1", [personId]);
    const page = await browser.follow(await browser.get("/login/step-up"));
    expect(page.location).toBeNull();
    expect(page.status).toBe(403);
  });
});

test.each([
  ["POST", "/grants"],
  ["PATCH", "/grants/00000000-0000-4000-8000-000000000000"],
  ["POST", "/rules"],
  ["PATCH", "/rules/00000000-0000-4000-8000-000000000000"],
  ["POST", "/previews/00000000-0000-4000-8000-000000000000/apply"],
  ["POST", "/accounts/1/link"],
])("G3: a browser that was left open gives nobody access: %s %s wants a recent proof", async (method, path) => {
  const { userName } = await door.newPerson();
  const browser = door.browser();
  await door.signIn(browser, { name: userName });
  const call = async () => {
    const { csrf } = z.object({ csrf: z.string() }).parse(JSON.parse((await browser.get("/account/token")).text));
    const Cookie = `${COOKIES.session}=${browser.cookies.get(COOKIES.session) ?? ""}`;
    const headers = { Cookie, Origin: door.url, "X-CSRF-Token": csrf, "Content-Type": "application/json" };
    const change: RequestInit = { method, headers: method === "PATCH" ? { ...headers, "If-Match": '"1"' } : headers, body: "{}" };
    return (await fetch(`${door.url}/console/api/v1${path}`, change)).text();
  };
  expect(await call()).not.toContain("step_up");
  // Busy, and so not idle; and signed in long ago.
  for (let passed = 0; passed <= door.settings.session.stepUpMinutes; passed += IDLE_MINUTES - 1) {
    door.clock.forward(minutes(IDLE_MINUTES - 1));
    await browser.get("/account");
  }
  expect(await call()).toContain("step_up");
});

describe("what ends a sign-in under way", () => {
  test("G6: signing somebody out everywhere also ends how far they have come elsewhere", async () => {
    const { userName, personId } = await door.newPerson();
    await door.work((work) => requireFactor(work, { subject: { personId }, reason: "test" }));
    const browser = door.browser();
    await halfway(browser, userName);
    await door.work((work) => endSessions(work, { personId, reason: "test" }));
    await browser.follow(await browser.get("/login/next"));
    expect(await isIn(browser)).toBe(false);
  });

  test("G2: a password that was replaced while it was looked at lets nobody in", async () => {
    const { userName, personId } = await door.newPerson();
    const browser = door.browser();
    await browser.get("/login");
    let answer: Promise<unknown> = Promise.resolve();
    await door.work(async (work) => {
      await work.sql.query("select from people where id = $1 for update", [personId]);
      answer = browser.submit("/login/password", { name: userName, password: PASSWORD });
      // The password was found right; that it was is written down once the lock is free.
      await until(async () => (await door.db.readPool.query(WAITING)).rows.length > 0);
      await setPassword(work, { personId, password: "seven loud badgers waltz", how: "reset", keyRing, settings: door.settings.password });
    });
    await answer;
    await browser.follow(await browser.get("/login/next"));
    expect(await isIn(browser)).toBe(false);
  });
});

describe("forms", () => {
  const ENROL = ["totp", "totp/finish", "address", "address/finish", "passkey", "passkey/finish"];
  const FORMS = [
    ...["/login", "/login/password", "/login/passkey", "/login/passkey/options", "/login/forgot", "/login/link", "/login/link/password"],
    ...["/login/step-up", "/login/change-password", "/logout", "/account/password", "/account/sessions/end", "/account/notices"],
    ...["send", "totp", "code", "recovery", "passkey"].map((each) => `/login/second-factor/${each}`),
    ...["/account/factors/remove", "/account/factors/recovery-codes"],
    ...["/login/enrol", "/account/factors/add"].flatMap((base) => ENROL.map((each) => `${base}/${each}`)),
  ];

  test("G6: none is taken without its token or from another site (CSRF), and none is a page to others", async () => {
    const { userName } = await door.newPerson();
    const browser = door.browser();
    await door.signIn(browser, { name: userName });
    await browser.get("/account");
    const taken: string[] = [];
    for (const path of FORMS) {
      const without = await browser.submit(path, { csrf: "" });
      const foreign = await browser.submit(path, {}, { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" });
      if (without.status !== 403 || foreign.status !== 403) taken.push(`${path} ${without.status} ${foreign.status}`);
      await browser.get("/account");
    }
    expect(taken).toEqual([]);
  });

  test("G2: of two browsers that replace one temporary password at once, one does, and the other is told or begins again", async () => {
    for (let round = 0; round < 3; round += 1) {
      const { userName, personId } = await door.newPerson();
      const { password } = await door.work((work) =>
        setTemporaryPassword(work, { personId, keyRing, settings: door.settings.password, reason: "test" }),
      );
      const browsers = [door.browser(), door.browser()];
      for (const browser of browsers) await door.signIn(browser, { name: userName, password });
      const chosen = ["seven loud badgers waltz", "nine plain walruses yodel"];
      const answers = await Promise.all(
        browsers.map((browser, at) => browser.submit("/login/change-password", { password: chosen[at] ?? "", again: chosen[at] ?? "" })),
      );
      const [won, lost] = answers.toSorted(
        (one, other) => Number(other.location === "/login/next") - Number(one.location === "/login/next"),
      );
      expect(won?.location).toBe("/login/next");
      // Who comes after all is done finds no sign-in of their own any more.
      expect([403, "/login"]).toContain(lost?.location ?? lost?.status);
    }
  });
});

describe("bodies", () => {
  test.each([
    ["a name with a NUL byte", { name: "a\0b", password: PASSWORD }],
    ["a name of half a pair", { name: "a\ud800b", password: PASSWORD }],
    ["a password with a NUL byte", { name: "nobody", password: "a\0b" }],
    ["lists", { name: ["a", "b"], password: { $ne: "" } }],
    ["a prototype", { __proto__: { name: "a" }, constructor: { prototype: {} } }],
  ])("G2: %s is refused, and breaks nothing", async (_what, body) => {
    for (const path of ["/login/password", "/login", "/login/forgot", "/login/link"]) {
      const browser = door.browser();
      await browser.get("/login");
      expect([path, (await browser.json(path, { code: "x\0", ...body })).status < 500]).toEqual([path, true]);
    }
  });
});
