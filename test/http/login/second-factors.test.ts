import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Secret, TOTP } from "otpauth";
import { factorsOf } from "../../../src/auth/factors/factors.ts";
import { requireFactor } from "../../../src/auth/factors/requirements.ts";
import { openNotice } from "../../../src/directory/notices.ts";
import { personKeys } from "../../../src/directory/personal.ts";
import { COOKIES } from "../../../src/http/login/cookies.ts";
import { softwarePasskey, type SoftwarePasskey } from "../../helpers/software-passkey.ts";
import { keyRing } from "../scim/door.ts";
import type { Answer, Browser } from "./browser.ts";
import { openLogin, type LoginDoor } from "./login-door.ts";

let door: LoginDoor;
beforeAll(
  async () =>
    (door = await openLogin({
      signIn: {
        notify: { email: { provider: "smtp" }, sms: { provider: "http", http: { url: "https://sms.example.com/", secret: "x" } } },
      },
    })),
  60_000,
);
afterAll(() => door?.close());

const ORIGIN = "http://localhost:8080";
const isIn = (browser: Browser) => browser.cookies.has(COOKIES.session);
const codeOf = (secret: string, steps = 0) =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: door.clock.now().getTime() + steps * 30_000 });
const wrong = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, "0");
const optionsOn = ({ text }: Answer) =>
  JSON.parse((/data-options="([^"]+)"/.exec(text)?.[1] ?? "null").replaceAll("&quot;", '"').replaceAll("&amp;", "&"));
const recoveryCodesOn = ({ text }: Answer) =>
  [...text.matchAll(/<li>((?:[a-z0-9]{4}-){3}[a-z0-9]{4})<\/li>/g)].map(([, code]) => code ?? "");

async function needed() {
  const made = await door.newPerson();
  await door.work((work) => requireFactor(work, { subject: { personId: made.personId }, reason: "policy" }));
  return made;
}

/** Enrols an authenticator app on the way in, and is signed in then. */
async function withApp(browser: Browser) {
  const person = await needed();
  const choices = await door.signIn(browser, { name: person.userName });
  expect(choices.text).toContain("Your account needs a second factor");
  const begun = await browser.submit("/login/enrol/totp");
  const secret = (/id="key">([^<]+)</.exec(begun.text)?.[1] ?? "").replaceAll(" ", "");
  const used = codeOf(secret);
  const done = await browser.submit("/login/enrol/totp/finish", { code: used, label: "" });
  return { ...person, secret, used, codes: recoveryCodesOn(done), done };
}

async function sentCode(personId: string): Promise<string> {
  const { rows } = await door.db.pool.query<{ id: string; content: string }>(
    "select id, content from notices where person_id = $1 and notice = 'code' order by created_at desc limit 1",
    [personId],
  );
  const key = (await door.work((work) => personKeys(work, keyRing, [personId]))).get(personId);
  if (!key || !rows[0]) throw new Error("no code was sent");
  return String(openNotice(key, { id: rows[0].id, sealed: rows[0].content }).data["code"]);
}

describe("who must have a second factor", () => {
  test("G3: turned on, it acts at the next login: who has none is led through enrolment and never in without", async () => {
    const { personId, userName } = await door.newPerson();
    const earlier = door.browser();
    await door.signIn(earlier, { name: userName });
    await door.work((work) => requireFactor(work, { subject: { personId }, reason: "policy" }));
    expect((await earlier.get("/account")).status).toBe(200);
    const browser = door.browser();
    await door.signIn(browser, { name: userName });
    expect(isIn(browser)).toBe(false);
    for (const path of ["/login/next", "/login/second-factor", "/account", "/account/factors"])
      expect((await browser.get(path)).location).toMatch(/^\/login/);
    expect(isIn(browser)).toBe(false);
  });

  test("G3: an app is enrolled by its code; recovery codes are shown once; the next login asks for it", async () => {
    const browser = door.browser();
    const { userName, secret, used, codes, done } = await withApp(browser);
    expect(done.text).toContain("shown only now");
    expect(codes).toHaveLength(10);
    const page = await browser.follow(await browser.get("/login/next"));
    expect(page.text).toContain(`You are signed in as ${userName}.`);

    const again = door.browser();
    const asked = await door.signIn(again, { name: userName });
    expect(asked.text).toContain("authenticator app");
    expect(await again.submit("/login/second-factor/totp", { code: used })).toMatchObject({ status: 401 });
    expect((await again.get("/login/next")).location).toBe("/login/second-factor");
    await again.get("/login/second-factor");
    const through = await again.submit("/login/second-factor/totp", { code: codeOf(secret, 1) });
    expect(through.location).toBe("/login/next");
    await again.follow(through);
    expect(isIn(again)).toBe(true);
    const { rows } = await door.db.pool.query<{ kind: string; outcome: string }>(
      "select kind, outcome from sign_in_attempts where kind = 'second_factor' and person_id = (select id from people where user_name = $1) order by id",
      [userName],
    );
    expect(rows.map(({ outcome }) => outcome)).toEqual(["failed", "ok"]);
  });

  test("G3: who has a factor can't enrol another with the password alone", async () => {
    const { personId, userName } = await withApp(door.browser());
    const thief = door.browser();
    await door.signIn(thief, { name: userName });
    expect((await thief.get("/login/enrol")).location).toBe("/login/next");
    await thief.get("/login/second-factor");
    for (const [path, fields] of [
      ["totp", {}],
      ["totp/finish", { code: "123456", label: "x" }],
      ["address", { kind: "email", address: "thief@example.com" }],
      ["passkey", {}],
    ] as [string, Record<string, string>][])
      expect((await thief.submit(`/login/enrol/${path}`, fields)).status).toBe(403);
    expect(await factorsOf(door.db.pool, personId)).toHaveLength(1);
    expect(
      (await door.db.pool.query("select from factor_challenges where person_id = $1 and purpose = 'enrol' and used_at is null", [personId]))
        .rowCount,
    ).toBe(0);
  });

  test("G3: of two who know the password and enrol at once, one does", async () => {
    const { personId, userName } = await needed();
    const browsers = [door.browser(), door.browser(), door.browser()];
    const ready = await Promise.all(
      browsers.map(async (browser) => {
        await door.signIn(browser, { name: userName });
        const begun = await browser.submit("/login/enrol/totp");
        return { browser, secret: (/id="key">([^<]+)</.exec(begun.text)?.[1] ?? "").replaceAll(" ", "") };
      }),
    );
    await Promise.all(ready.map(({ browser, secret }) => browser.submit("/login/enrol/totp/finish", { code: codeOf(secret), label: "" })));
    expect(await factorsOf(door.db.pool, personId)).toHaveLength(1);
    for (const { browser } of ready) await browser.follow(await browser.get("/login/next"));
    expect(browsers.filter(isIn)).toHaveLength(1);
  });

  test("G3: an e-mail address is confirmed first, and a code sent there lets in once", async () => {
    const { personId, userName } = await needed();
    const browser = door.browser();
    await door.signIn(browser, { name: userName });
    expect((await browser.submit("/login/enrol/address", { kind: "sms", address: "12" })).text).toContain("country code, such as");
    expect((await browser.submit("/login/enrol/address", { kind: "email", address: "ada@example.com" })).text).toContain("a…@example.com");
    const code = await sentCode(personId);
    expect((await browser.submit("/login/enrol/address/finish", { kind: "email", code: wrong(code) })).status).toBe(422);
    expect(recoveryCodesOn(await browser.submit("/login/enrol/address/finish", { kind: "email", code }))).toHaveLength(10);
    await browser.follow(await browser.get("/login/next"));
    expect(isIn(browser)).toBe(true);

    door.clock.forward(1000);
    const again = door.browser();
    const page = await door.signIn(again, { name: userName });
    const factor = /name="factor" value="([^"]+)"/.exec(page.text)?.[1] ?? "";
    expect((await again.submit("/login/second-factor/send", { factor })).text).toContain("a…@example.com");
    const second = await sentCode(personId);
    const answers = await Promise.all([1, 2, 3].map(() => again.submit("/login/second-factor/code", { kind: "email", code: second })));
    expect(answers.map(({ location }) => location)).toEqual(["/login/next", "/login/next", "/login/next"]);
    const { rows } = await door.db.pool.query(
      "select from sign_in_attempts where person_id = $1 and kind = 'second_factor' and outcome = 'ok'",
      [personId],
    );
    expect(rows).toHaveLength(1);
    await again.follow(await again.get("/login/next"));
    expect(isIn(again)).toBe(true);
  });

  test("G3: a recovery code lets in once", async () => {
    const { userName, codes } = await withApp(door.browser());
    const outcomes = [];
    for (const code of [codes[0], codes[0], codes[1]?.toUpperCase()]) {
      const browser = door.browser();
      await door.signIn(browser, { name: userName });
      await browser.follow(await browser.submit("/login/second-factor/recovery", { code: code ?? "" }));
      await browser.get("/login/next");
      outcomes.push(isIn(browser));
    }
    expect(outcomes).toEqual([true, false, true]);
  });

  test("guesses are limited, and more browsers don't bring more of them", async () => {
    const { userName, secret } = await withApp(door.browser());
    const statuses: number[] = [];
    for (let tried = 0; tried < 40 && !statuses.includes(429); tried += 1) {
      const browser = door.browser();
      await door.signIn(browser, { name: userName });
      for (let guess = 0; guess < 4; guess += 1)
        statuses.push((await browser.submit("/login/second-factor/totp", { code: wrong(codeOf(secret)) })).status);
    }
    expect(statuses).toContain(429);
    // Its budget is its own: the tests after this one begin with a new one.
    await door.db.pool.query("delete from attempt_limits");
  });
});

describe("passkeys", () => {
  async function withPasskey(browser: Browser): Promise<{ personId: string; userName: string; passkey: SoftwarePasskey }> {
    const person = await needed();
    const passkey = softwarePasskey({ origin: ORIGIN });
    await door.signIn(browser, { name: person.userName });
    const begun = await browser.submit("/login/enrol/passkey");
    const response = JSON.stringify(passkey.create(optionsOn(begun)));
    const done = await browser.submit("/login/enrol/passkey/finish", { response, label: "My laptop" });
    expect(recoveryCodesOn(done)).toHaveLength(10);
    await browser.follow(await browser.get("/login/next"));
    expect(isIn(browser)).toBe(true);
    return { ...person, passkey };
  }

  test("G3: a passkey is enrolled on the way in and is the second factor afterwards; its pages hold nothing inline", async () => {
    const { userName, passkey } = await withPasskey(door.browser());
    const browser = door.browser();
    const page = await door.signIn(browser, { name: userName });
    expect(page.text).not.toMatch(/<script(?![^>]*\ssrc="\/login\/public\/)|\son\w+=|\sstyle=/);
    const asked = optionsOn(page as Answer);
    const through = await browser.submit("/login/second-factor/passkey", { response: JSON.stringify(passkey.get(asked)) });
    await browser.follow(through);
    expect(isIn(browser)).toBe(true);
    expect((await browser.get("/login/public/passkey.js")).headers.get("content-type")).toContain("javascript");
  });

  test("G3: a passkey alone lets in when it has verified its user, needing no second factor beside it, and only who may come in", async () => {
    const { personId, userName, passkey } = await withPasskey(door.browser());
    const enter = async (overrides: Parameters<SoftwarePasskey["get"]>[1] = {}) => {
      const browser = door.browser();
      await browser.get("/login?return_to=%2Faccount%2Ffactors");
      const begun = JSON.parse((await browser.json("/login/passkey/options", { return_to: "/account/factors" })).text);
      const answer = await browser.json("/login/passkey", { csrf: begun.csrf, response: passkey.get(begun.options, overrides) });
      return { browser, answer };
    };
    const { browser, answer } = await enter();
    expect(JSON.parse(answer.text)).toEqual({ redirect: "/login/next" });
    const page = await browser.follow(await browser.get("/login/next"));
    expect(isIn(browser)).toBe(true);
    expect(page.text).toContain("My laptop");
    for (const overrides of [{ userVerified: false }, { origin: "https://evil.example" }]) {
      const refused = await enter(overrides);
      expect(refused.answer.status).toBe(401);
      await refused.browser.get("/login/next");
      expect(isIn(refused.browser)).toBe(false);
    }
    await door.db.pool.query("update people set active = false, state = 'suspended' where id = $1", [personId]);
    expect((await enter()).answer.status).toBe(401);
    expect(userName).toBeTruthy();
  });
});

describe("one's own factors", () => {
  test("G3: added and removed with a fresh proof by a factor that there is; the last one stays while one is needed", async () => {
    const browser = door.browser();
    const { personId, secret } = await withApp(browser);
    await browser.follow(await browser.get("/login/next"));
    door.clock.forward(11 * 60_000);
    const asked = await browser.get("/account/factors");
    expect(asked.location).toBe("/login/step-up?return_to=%2Faccount%2Ffactors");
    await browser.get("/account");
    expect((await browser.submit("/account/factors/add/totp")).location).toContain("/login/step-up");
    const challenge = await browser.follow(asked);
    expect(challenge.text).toContain("authenticator app");
    const page = await browser.follow(await browser.submit("/login/second-factor/totp", { code: codeOf(secret) }));
    expect(page.text).toContain("Second factors");
    const first = /name="factor" value="([^"]+)"/.exec(page.text)?.[1] ?? "";
    const kept = await browser.submit("/account/factors/remove", { factor: first });
    expect(kept.status).toBe(409);
    expect(kept.text).toContain("this is the last one");

    const begun = await browser.submit("/account/factors/add/totp");
    const other = (/id="key">([^<]+)</.exec(begun.text)?.[1] ?? "").replaceAll(" ", "");
    const added = await browser.submit("/account/factors/add/totp/finish", { code: codeOf(other), label: "<b>Tablet</b>" });
    expect(added.location).toBe("/account/factors");
    const both = await browser.follow(added);
    expect(both.text).toContain("&lt;b&gt;Tablet&lt;/b&gt;");
    expect((await browser.submit("/account/factors/remove", { factor: first })).location).toBe("/account/factors");
    expect(await factorsOf(door.db.pool, personId)).toMatchObject([{ label: "<b>Tablet</b>" }]);
    await browser.get("/account/factors");
    expect(recoveryCodesOn(await browser.submit("/account/factors/recovery-codes"))).toHaveLength(10);
    const { rows } = await door.db.pool.query<{ notice: string }>("select notice from notices where person_id = $1", [personId]);
    expect(rows.map(({ notice }) => notice)).toEqual(expect.arrayContaining(["factor.added", "factor.removed"]));
    const theirs = await withApp(door.browser());
    const [foreign] = await factorsOf(door.db.pool, theirs.personId);
    await browser.get("/account/factors");
    expect((await browser.submit("/account/factors/remove", { factor: foreign?.id ?? "" })).status).toBe(404);
  });
});
