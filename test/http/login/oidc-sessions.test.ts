import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { hmac, unsigned } from "../../counterparts/oidc/forged-tokens.ts";
import { startLyingProvider, type LyingProvider } from "../../counterparts/oidc/lying-provider.ts";
import { openLogin, type LoginDoor } from "./login-door.ts";
import { addOidc, addressIn, back, towards } from "./oidc-door.ts";

let door: LoginDoor;
let provider: LyingProvider;
let other: LyingProvider;
beforeAll(async () => {
  door = await openLogin({ signIn: { limits: { network: { attempts: 10_000 }, overall: { attempts: 10_000 } } } });
  provider = await startLyingProvider({ now: door.clock.now });
  other = await startLyingProvider({ now: door.clock.now });
  await addOidc(door, { settings: { issuer: provider.issuer } });
  await addOidc(door, { name: "other", settings: { issuer: other.issuer } });
});
afterAll(async () => {
  await provider.close();
  await other.close();
  await door.close();
});

const sessions = async () => (await door.db.pool.query<{ count: number }>("select count(*)::int as count from sessions")).rows[0]?.count;
const seconds = (ahead = 0) => Math.floor(door.clock.now().getTime() / 1000) + ahead;

describe("G4, G6: a logout token", () => {
  const EVENT = "http://schemas.openid.net/event/backchannel-logout";
  const send = async (token: string, name = "sso") =>
    fetch(`${door.url}/oidc/${name}/backchannel`, { method: "POST", body: new URLSearchParams({ logout_token: token }) });
  const claims = (sub: string, jti: string, more = {}) => ({
    iss: provider.issuer,
    aud: "rollcall",
    sub,
    iat: seconds(),
    exp: seconds(120),
    jti,
    events: { [EVENT]: {} },
    ...more,
  });
  const signedIn = async (sub: string) => {
    const browser = door.browser();
    await back(browser, await provider.authorize(await towards(browser), { sub }));
    return browser;
  };
  const isIn = async (browser: Awaited<ReturnType<typeof signedIn>>) => (await browser.get("/account")).status === 200;

  test("that is forged ends nothing: by another key, of another typ, with a nonce, of another provider, at another connection", async () => {
    const browser = await signedIn("mia");
    const right = claims("mia", "forged");
    const forged = [
      await other.sign(right, { typ: "logout+jwt" }),
      await provider.sign(right, { typ: "at+jwt" }),
      await provider.sign({ ...right, nonce: "n" }, { typ: "logout+jwt" }),
      await provider.sign({ ...right, events: {} }, { typ: "logout+jwt" }),
      hmac(right, "a-secret-of-32-characters-or-more"),
      `${unsigned({ alg: "none" }, right)}.`,
      "no token",
      "",
    ];
    for (const token of forged) expect((await send(token)).status).toBe(400);
    expect((await send(await provider.sign(right, { typ: "logout+jwt" }), "other")).status).toBe(400);
    expect(await isIn(browser)).toBe(true);
  });

  test("ends the sessions of whom it names, and nobody else's; a second time it ends nothing", async () => {
    const [ned, ola] = [await signedIn("ned"), await signedIn("ola")];
    const token = await provider.sign(claims("ned", "once"), { typ: "logout+jwt" });
    const first = await Promise.all([send(token), send(token), send(token)]);
    expect(first.map(({ status }) => status).sort()).toEqual([200, 400, 400]);
    expect(await isIn(ned)).toBe(false);
    expect(await isIn(ola)).toBe(true);
    const again = await signedIn("ned");
    const replayed = await send(token);
    expect(replayed.status).toBe(400);
    expect(replayed.headers.get("cache-control")).toBe("no-store");
    expect(await isIn(again)).toBe(true);
  });

  test("that names a session ends the one of that name, and those of whom it names that the provider gave none", async () => {
    const named = async (sid?: string) => {
      const browser = door.browser();
      await back(browser, await provider.authorize(await towards(browser), { sub: "rue", lies: { claims: { sid } } }));
      return browser;
    };
    const [nameless, one, two, somebody] = [await named(), await named("this"), await named("that"), await signedIn("sam")];
    const token = await provider.sign(claims("rue", "named", { sid: "this" }), { typ: "logout+jwt" });
    expect((await send(token)).status).toBe(200);
    expect([await isIn(nameless), await isIn(one), await isIn(two), await isIn(somebody)]).toEqual([false, false, true, true]);
    // By a session's name alone nobody is known whose session has none.
    const withoutSubject = await provider.sign({ ...claims("", "unnamed", { sid: "this" }), sub: undefined }, { typ: "logout+jwt" });
    expect((await send(withoutSubject)).status).toBe(200);
    expect(await isIn(somebody)).toBe(true);
  });

  test("ends a sign-in that still waits for a second factor", async () => {
    const browser = door.browser();
    await browser.get(`/oidc/sso/callback?${(await provider.authorize(await towards(browser), { sub: "pia" })).toString()}`);
    expect((await send(await provider.sign(claims("pia", "waits"), { typ: "logout+jwt" }))).status).toBe(200);
    const before = await sessions();
    expect((await browser.get("/login/next")).location).toBe("/login");
    expect(await sessions()).toBe(before);
  });
});

describe("G3, G4: second factors and proving oneself again", () => {
  const must = async (sub: string) =>
    door.db.pool.query(
      `insert into factor_requirements (id, person_id, reason, created_at, created_by)
       select gen_random_uuid(), person_id, 'must', now(), 'cli:test' from accounts where native_id = $1`,
      [sub],
    );
  const next = async (sub: string, claims: Record<string, unknown>) => {
    const browser = door.browser();
    await browser.get(`/oidc/sso/callback?${(await provider.authorize(await towards(browser), { sub, lies: { claims } })).toString()}`);
    return (await browser.get("/login/next")).location;
  };

  test("who must have a second factor is asked for one here, unless the provider says that it has asked for two", async () => {
    await door.db.pool.query(`update connections set settings = settings || '{"bothFactors": {"amr": ["mfa"]}}' where name = 'sso'`);
    expect(await next("quin", { amr: ["pwd"] })).toBe("/account");
    await must("quin");
    expect(await next("quin", { amr: ["pwd"] })).toBe("/login/enrol");
    expect(await next("quin", { amr: ["pwd", "mfa"] })).toBe("/account");
  });

  test("who came from the provider proves it there again: by a fresh sign-in, of the same person, or not at all", async () => {
    const browser = door.browser();
    await back(browser, await provider.authorize(await towards(browser), { sub: "rob" }));
    const before = browser.cookies.get("__Host-rollcall");
    const away = async () => {
      const { location } = await browser.get("/login/step-up?return_to=/account/factors");
      return addressIn(await browser.get(location ?? ""));
    };
    const fresh = await away();
    expect(new URL(fresh).searchParams.get("max_age")).toBe("0");
    expect(new URL(fresh).searchParams.get("prompt")).toBe("login");
    for (const [sub, claims] of [
      ["rob", { auth_time: seconds(-300) }],
      ["rob", { auth_time: undefined }],
      ["eve", {}],
    ] as const) {
      const answer = await browser.get(
        `/oidc/sso/callback?${(await provider.authorize(await away(), { sub, lies: { claims } })).toString()}`,
      );
      expect(answer.status).toBe(403);
      expect(browser.cookies.get("__Host-rollcall")).toBe(before);
    }
    await browser.get(`/oidc/sso/callback?${(await provider.authorize(await away(), { sub: "rob" })).toString()}`);
    expect((await browser.get("/login/next")).location).toBe("/account/factors");
    expect(browser.cookies.get("__Host-rollcall")).not.toBe(before);
  });
});
