import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { requireFactor } from "../../../src/auth/factors/requirements.ts";
import { beginSignIn, passSecond } from "../../../src/auth/sign-in/store.ts";
import { raiseBlocks } from "../../../src/directory/blocks.ts";
import { COOKIES } from "../../../src/http/login/cookies.ts";
import type { Browser } from "./browser.ts";
import { openLogin, PASSWORD, type LoginDoor } from "./login-door.ts";

let door: LoginDoor;
beforeAll(async () => (door = await openLogin()));
afterAll(() => door?.close());

const SESSION = COOKIES.session;
/** Headers that are another in every answer. */
const OF_EACH: ReadonlySet<string> = new Set(["date", "set-cookie", "x-request-id", "retry-after"]);

describe("signing in by password", () => {
  test("G2, G6: by user name or e-mail address, to the page that was asked for; signing out ends it at once", async () => {
    const { userName } = await door.newPerson({ email: "ada@example.com" });
    for (const name of [userName, userName.toUpperCase(), "Ada@example.com"]) {
      const browser = door.browser();
      const asked = await browser.get("/account");
      expect(asked.location).toBe("/login?return_to=%2Faccount");
      const page = await door.signIn(browser, { name, returnTo: "/account" });
      expect(page.status).toBe(200);
      expect(page.text).toContain(`You are signed in as ${userName}.`);
      expect(await browser.get("/login")).toMatchObject({ status: 303, location: "/account" });
      const before = browser.cookies.get(SESSION) ?? "";
      await browser.get("/account");
      expect((await browser.submit("/logout")).location).toBe("/login");
      expect(browser.cookies.has(SESSION)).toBe(false);
      browser.cookies.set(SESSION, before);
      expect((await browser.get("/account")).status).toBe(303);
    }
  });

  test("G2: by a name however its letters are written: é as one sign or as two", async () => {
    const [composed, apart] = ["josé-nfc".normalize("NFC"), "zoë-nfd".normalize("NFD")];
    await door.newPerson({ userName: composed });
    await door.newPerson({ userName: apart, email: "björk@example.com".normalize("NFD") });
    for (const name of [composed, apart, composed.normalize("NFD"), apart.normalize("NFC"), "BJÖRK@example.com".normalize("NFC")])
      expect([name, (await door.signIn(door.browser(), { name })).status]).toEqual([name, 200]);
    // Where both are somebody's, whoever is typed is meant.
    const other = composed.normalize("NFD");
    await door.newPerson({ userName: other, password: "seven bold herons whisper" });
    expect((await door.signIn(door.browser(), { name: other, password: "seven bold herons whisper" })).status).toBe(200);
    expect((await door.signIn(door.browser(), { name: composed })).status).toBe(200);
  });

  test("G2: an unknown name, a wrong password and somebody who may not come in are told the same", async () => {
    const { userName } = await door.newPerson();
    const suspended = await door.newPerson();
    await door.work((work) => raiseBlocks(work, [{ personId: suspended.personId, owner: "admin", effect: "suspended", reason: "test" }]));
    const bare = await door.newPerson({ password: null });
    const answers = [
      await door.signIn(door.browser(), { name: userName, password: "wrong" }),
      await door.signIn(door.browser(), { name: "nobody" }),
      await door.signIn(door.browser(), { name: suspended.userName }),
      await door.signIn(door.browser(), { name: bare.userName }),
    ];
    const names = [userName, "nobody", suspended.userName, bare.userName];
    const plain = answers.map(({ status, text }, at) => [
      status,
      text.replaceAll(names[at] ?? "", "NAME").replaceAll(/name="csrf" value="[^"]+"/g, ""),
    ]);
    for (const each of plain) expect(each).toEqual(plain[0]);
    expect(plain[0]?.[0]).toBe(401);
  });

  test("G2: no status, header, cookie or length tells whether a name is somebody's, from the first page until it is locked", async () => {
    const strict = await openLogin({
      signIn: { limits: { account: { attempts: 3 }, network: { attempts: 1000 } }, notify: { email: { provider: "smtp" } } },
    });
    try {
      const names = ["person-aaaaaaaa", "person-bbbbbbbb", "person-cccccccc", "person-dddddddd"] as const;
      await strict.newPerson({ userName: names[0] });
      await strict.newPerson({ userName: names[1], password: null });
      const { personId } = await strict.newPerson({ userName: names[2] });
      await strict.work((work) => raiseBlocks(work, [{ personId, owner: "admin", effect: "suspended", reason: "test" }]));
      const all = await Promise.all(names.map((name) => everythingSaidTo(name, strict.browser())));
      for (const each of all) expect(each).toEqual(all[0]);
      expect(all[0]?.map(({ status }) => status)).toEqual([200, 200, 401, 401, 401, 429, 200, 200]);
    } finally {
      await strict.close();
    }
  });

  test("G6: a session that was planted before, or a sign-in that was, is worth nothing after (fixation)", async () => {
    const { userName } = await door.newPerson();
    const attacker = door.browser();
    await attacker.get("/login");
    const planted = attacker.cookies.get(COOKIES.signIn) ?? "";
    const victim = door.browser();
    victim.cookies.set(COOKIES.signIn, planted);
    victim.cookies.set(SESSION, planted);
    await door.signIn(victim, { name: userName });
    expect(victim.cookies.get(SESSION)).not.toBe(planted);
    attacker.cookies.set(SESSION, planted);
    expect((await attacker.get("/account")).status).toBe(303);
    expect((await attacker.get("/login/next")).location).toBe("/login");
  });

  test("G6: forms of another site change nothing (CSRF)", async () => {
    const { userName, personId } = await door.newPerson();
    const browser = door.browser();
    await door.signIn(browser, { name: userName });
    await browser.get("/account");
    const token = browser.csrf();
    for (const [fields, headers] of [
      [{ csrf: "" }, {}],
      [{ csrf: token.replace(/.$/, (last) => (last === "A" ? "B" : "A")) }, {}],
      [{}, { Origin: "https://evil.example" }],
      [{}, { "Sec-Fetch-Site": "cross-site" }],
      [{}, { "Sec-Fetch-Site": "same-site" }],
      [{}, { Origin: "null" }],
    ] as [Record<string, string>, Record<string, string>][])
      expect([fields, headers, (await browser.submit("/logout", fields, headers)).status]).toEqual([fields, headers, 403]);
    // Another's token is as good as none.
    const other = door.browser();
    await door.signIn(other, { name: (await door.newPerson()).userName });
    await other.get("/account");
    expect((await browser.submit("/logout", { csrf: other.csrf() })).status).toBe(403);
    const { rows } = await door.db.pool.query("select from sessions where person_id = $1 and ended_at is null", [personId]);
    expect(rows).toHaveLength(1);
  });

  test("G6: our own forms are known behind a proxy that puts its own Host into what it passes on, or a port that goes without saying", async () => {
    const browser = door.browser();
    const { port } = new URL(door.url);
    for (const [headers, status] of [
      // Where people's browsers are, as http.publicUrl says it (this test: its default).
      [{ Origin: "http://localhost:8080" }, 200],
      [{ Origin: "http://localhost:8080", "Sec-Fetch-Site": "cross-site" }, 403],
      [{ Origin: "https://localhost:8080" }, 403],
      [{ Origin: "http://localhost:8081" }, 403],
      [{ Origin: `https://127.0.0.1:${port}` }, 200],
      [{ Origin: "https://127.0.0.1" }, 403],
    ] as [Record<string, string>, number][]) {
      await browser.get("/login");
      expect([headers, (await browser.submit("/login", { name: "ada" }, headers)).status]).toEqual([headers, status]);
    }
    await browser.get("/login");
    const behind = async (host: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const body = new URLSearchParams({ csrf: browser.csrf(), name: "ada" }).toString();
        const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
        const headers = { host, cookie, origin: "https://people.example", "content-type": "application/x-www-form-urlencoded" };
        const asked = request(new URL("/login", door.url), { method: "POST", headers }, (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        });
        asked.on("error", reject).end(body);
      });
    expect(await behind("people.example:443")).toBe(200);
    expect(await behind("people.example:8443")).toBe(403);
    expect(await behind("people.example.evil.example")).toBe(403);
    expect(await behind("evil.example/people.example")).toBe(403);
  });

  test("G2: as many passwords are looked at as may be at once; who comes beyond the line is told to come again, known or not", async () => {
    const narrow = await openLogin({
      signIn: { password: { argon2: { memoryKiB: 65_536, passes: 3 }, verifications: { atOnce: 1, waiting: 1 } } },
    });
    try {
      const { userName } = await narrow.newPerson();
      const answers = await Promise.all(
        Array.from({ length: 12 }, async (_, at) => {
          const browser = narrow.browser();
          await browser.get("/login");
          return browser.submit("/login/password", { name: at % 2 === 0 ? userName : "nobody", password: "not the one it is" });
        }),
      );
      const busy = answers.filter(({ status }) => status === 503);
      expect(busy.length).toBeGreaterThan(0);
      for (const { headers } of busy) expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
      expect(answers.filter(({ status }) => status === 401).length).toBe(answers.length - busy.length);
    } finally {
      await narrow.close();
    }
  });

  test("G6: what is asked to go back to is a page of ours", async () => {
    const { userName } = await door.newPerson();
    for (const bad of [
      "https://evil.example/",
      "//evil.example",
      "/\\evil.example",
      "/\t/evil.example",
      "javascript:alert(1)",
      "/login",
      "/logout",
    ]) {
      const browser = door.browser();
      await browser.get("/login");
      const { location } = await browser.submit("/login/password", { name: userName, password: PASSWORD, return_to: bad });
      expect([bad, location]).toEqual([bad, "/account"]);
    }
  });

  test("G6: nobody has more sessions than there may be, however many sign in at once; the oldest go", async () => {
    const { userName, personId } = await door.newPerson();
    const first = door.browser();
    await door.signIn(first, { name: userName });
    await Promise.all(Array.from({ length: 8 }, () => door.signIn(door.browser(), { name: userName })));
    const { rows } = await door.db.pool.query("select from sessions where person_id = $1 and ended_at is null", [personId]);
    expect(rows).toHaveLength(door.settings.session.most);
    expect((await first.get("/account")).status).toBe(303);
  });

  test("G6: where more sessions are refused, no more get in of however many sign in at once, with a second factor or without", async () => {
    const refusing = await openLogin({ signIn: { session: { most: 2, beyond: "refuse" } } });
    try {
      const { userName, personId } = await refusing.newPerson();
      const browsers = Array.from({ length: 6 }, () => refusing.browser());
      const ends = await Promise.all(browsers.map((each) => refusing.signIn(each, { name: userName })));
      expect(ends.map(({ status }) => status).toSorted()).toEqual([200, 200, 403, 403, 403, 403]);
      const { rows } = await refusing.db.pool.query("select from sessions where person_id = $1 and ended_at is null", [personId]);
      expect(rows).toHaveLength(2);
      // A place that is free again is given to one of those who wait at the last step.
      await refusing.db.pool.query(
        "update sessions set ended_at = now() where id = (select id from sessions where person_id = $1 limit 1)",
        [personId],
      );
      const waiting = Array.from({ length: 4 }, () => refusing.browser());
      for (const each of waiting) await underWay(refusing, { browser: each, personId });
      const last = await Promise.all(waiting.map((each) => each.get("/login/next")));
      expect(last.map(({ status }) => status).toSorted()).toEqual([303, 403, 403, 403]);
    } finally {
      await refusing.close();
    }
  });

  test("G6: a session ends when idle, and in the end however busy it is", async () => {
    const { userName } = await door.newPerson();
    const busy = door.browser();
    await door.signIn(busy, { name: userName });
    const idle = door.browser();
    await door.signIn(idle, { name: userName });
    const minutes = (count: number) => count * 60_000;
    for (let passed = 0; passed < 700; passed += 20) {
      door.clock.forward(minutes(20));
      expect([passed, (await busy.get("/account")).status]).toEqual([passed, 200]);
    }
    expect((await idle.get("/account")).status).toBe(303);
    door.clock.forward(minutes(20));
    expect((await busy.get("/account")).status).toBe(303);
  });

  test("G6, invariant 5: who is suspended is signed out in the same transaction, and can't finish a sign-in that is under way", async () => {
    const { userName, personId } = await door.newPerson();
    const inside = door.browser();
    await door.signIn(inside, { name: userName });
    await door.work((work) => requireFactor(work, { subject: { personId }, reason: "test" }));
    const halfway = door.browser();
    await halfway.get("/login");
    expect((await halfway.submit("/login/password", { name: userName, password: PASSWORD })).location).toBe("/login/next");
    await door.db.pool.query("delete from factor_requirements where person_id = $1", [personId]);
    await door.work((work) => raiseBlocks(work, [{ personId, owner: "admin", effect: "suspended", reason: "test" }]));
    expect((await inside.get("/account")).status).toBe(303);
    expect((await halfway.get("/login/next")).location).toBe("/login");
    expect((await halfway.get("/account")).status).toBe(303);
  });

  test("G6: own sessions are listed and ended, others' are not there", async () => {
    const { userName } = await door.newPerson();
    const here = door.browser({ userAgent: "Here" });
    const there = door.browser({ userAgent: "Mozilla/5.0 (X11; Linux) Firefox/130 There <script>" });
    await door.signIn(here, { name: userName });
    await door.signIn(there, { name: userName });
    const page = await here.get("/account");
    // What a browser says of itself, whoever holds it chooses.
    expect(page.text).toContain("Firefox, Linux");
    expect(page.text).not.toContain("There");
    const stranger = door.browser();
    await door.signIn(stranger, { name: (await door.newPerson()).userName });
    const { rows } = await door.db.pool.query<{ id: string }>("select id from sessions where user_agent = 'Here'");
    expect((await stranger.submit("/account/sessions/end", { session: rows[0]?.id ?? "" })).status).toBe(404);
    expect((await here.submit("/account/sessions/end")).location).toBe("/account");
    expect((await there.get("/account")).status).toBe(303);
    expect((await here.get("/account")).status).toBe(200);
  });

  test("G7: a new browser is told to the person, the first and a known one are not", async () => {
    const { userName, personId } = await door.newPerson();
    const told = async () =>
      (await door.db.pool.query("select from notices where person_id = $1 and notice = 'device.new'", [personId])).rows.length;
    const first = door.browser();
    await door.signIn(first, { name: userName });
    first.cookies.delete(SESSION);
    await door.signIn(first, { name: userName });
    expect(await told()).toBe(0);
    await door.signIn(door.browser(), { name: userName });
    expect(await told()).toBe(1);
  });
});

/** What a browser that knows a name sees of it by all that can be asked without a proof. */
async function everythingSaidTo(name: string, browser: Browser) {
  const answers = [await browser.get("/login"), await browser.submit("/login", { name })];
  for (let each = 0; each < 4; each += 1) {
    await browser.get("/login");
    answers.push(await browser.submit("/login/password", { name, password: "not the one it is" }));
  }
  await browser.get("/login/forgot");
  answers.push(await browser.submit("/login/forgot", { name }));
  await browser.get("/login");
  answers.push(await browser.json("/login/passkey/options", {}));
  return answers.map(({ status, headers, text }) => ({
    status,
    headers: [...headers].map(([header, value]) => [header, OF_EACH.has(header) ? "" : value]),
    cookies: headers.getSetCookie().map((line) => line.replace(/=[^;]*/, "=")),
    text: text
      .replaceAll(name, "NAME")
      .replaceAll(/(csrf(?:&quot;|")?(?: value)?[=:])"[^"]+"/g, "$1")
      .replaceAll(/"challenge":"[^"]+"/g, "")
      .replaceAll(/\d+ minutes?/g, "N minutes")
      .replaceAll(/\d+ min/g, "N min"),
  }));
}

/** Puts a browser at the end of a sign-in that has taken its second factor. */
async function underWay({ work }: LoginDoor, { browser, personId }: { browser: Browser; personId: string }): Promise<void> {
  await work(async (each) => {
    const { signIn, secret } = await beginSignIn(each, { personId, firstMethod: "password" });
    await passSecond(each, { signIn, method: "totp" });
    browser.cookies.set(COOKIES.signIn, secret);
  });
}
