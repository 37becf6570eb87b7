import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { exportSPKI, importJWK, type CryptoKey } from "jose";
import { startLyingProvider, type Lies, type LyingProvider } from "../../counterparts/oidc/lying-provider.ts";
import { hmac, unsigned } from "../../counterparts/oidc/forged-tokens.ts";
import { openLogin, type LoginDoor } from "./login-door.ts";
import { addOidc, back, towards } from "./oidc-door.ts";

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

/** Signs in with what the provider says then; how many sessions that began. */
async function attempt(lies: Lies): Promise<{ status: number; begun: number; text: string }> {
  const before = (await sessions()) ?? 0;
  const browser = door.browser();
  const answer = await back(browser, await provider.authorize(await towards(browser), { lies }));
  return { status: answer.status, text: answer.text, begun: ((await sessions()) ?? 0) - before };
}
const seconds = (ahead = 0) => Math.floor(door.clock.now().getTime() / 1000) + ahead;

test("G4: without a lie, the same way signs in", async () => {
  expect(await attempt({})).toMatchObject({ status: 200, begun: 1 });
});

describe("G4: an ID token is refused, and nobody is signed in, when it has", () => {
  const LIES: Readonly<Record<string, () => Lies>> = {
    "another nonce": () => ({ claims: { nonce: "another" } }),
    "no nonce": () => ({ claims: { nonce: undefined } }),
    "another issuer": () => ({ claims: { iss: other.issuer } }),
    "another audience": () => ({ claims: { aud: "another-client" } }),
    "several audiences without azp": () => ({ claims: { aud: ["rollcall", "another-client"] } }),
    "an azp of another client": () => ({ claims: { aud: ["rollcall", "another-client"], azp: "another-client" } }),
    "no signature (alg none)": () => ({ idToken: (claims) => `${unsigned({ alg: "none" }, claims)}.` }),
    "a signature by HS256 with the public key": () => ({ idToken: hs256(provider) }),
    "a signature by HS256 with the client's secret": () => ({
      idToken: (claims) => hmac(claims, "a-secret-of-32-characters-or-more"),
    }),
    "a signature by another key": () => ({ foreignKey: true }),
    "a payload changed after it was signed": () => ({
      idToken: async (claims) => {
        const [header, , signature] = (await provider.sign(claims)).split(".");
        return [header, Buffer.from(JSON.stringify({ ...claims, sub: "eve" })).toString("base64url"), signature].join(".");
      },
    }),
    expired: () => ({ claims: { exp: seconds(-61), iat: seconds(-600) } }),
    "no end": () => ({ claims: { exp: undefined } }),
    "an iat in the future": () => ({ claims: { iat: seconds(120) } }),
    "an nbf in the future": () => ({ claims: { nbf: seconds(120) } }),
    "the typ of a logout token": () => ({ header: { typ: "logout+jwt" } }),
    "the typ of an access token": () => ({ header: { typ: "at+jwt" } }),
    "no subject": () => ({ claims: { sub: undefined } }),
    "a subject that is not UserInfo's": () => ({ userInfo: { sub: "eve" } }),
    "too much": () => ({ claims: { padding: "x".repeat(40_000) } }),
  };
  test.each(Object.keys(LIES))("%s", async (name) => {
    const lies = LIES[name]?.() ?? {};
    const result = await attempt(lies);
    expect(result).toMatchObject({ status: 403, begun: 0 });
    expect(result.text).toContain("The sign-in elsewhere did not work");
    expect(result.text).not.toContain("nonce");
  });
});

describe("G4: an answer is refused when", () => {
  const refusedBy = async (act: () => Promise<{ status: number }>) => {
    const before = await sessions();
    expect((await act()).status).toBe(403);
    expect(await sessions()).toBe(before);
  };

  test("its state is another", () =>
    refusedBy(async () => {
      const browser = door.browser();
      const query = await provider.authorize(await towards(browser));
      query.set("state", "another");
      return back(browser, query);
    }));

  test("PKCE was taken out of its request on the way, or its challenge exchanged", async () => {
    for (const change of [
      (asked: URL) => asked.searchParams.delete("code_challenge"),
      (asked: URL) => asked.searchParams.set("code_challenge_method", "plain"),
      (asked: URL) => asked.searchParams.set("code_challenge", "x".repeat(43)),
    ])
      await refusedBy(async () => {
        const browser = door.browser();
        const asked = new URL(await towards(browser));
        change(asked);
        return back(browser, await provider.authorize(asked.href));
      });
  });

  test("it has no state, or two", async () => {
    for (const change of [
      (query: URLSearchParams) => query.delete("state"),
      (query: URLSearchParams) => query.append("state", query.get("state") ?? ""),
    ])
      await refusedBy(async () => {
        const browser = door.browser();
        const query = await provider.authorize(await towards(browser));
        change(query);
        return back(browser, query);
      });
  });

  test("it comes to another browser than the one that was sent away", () =>
    refusedBy(async () => {
      const query = await provider.authorize(await towards(door.browser()));
      const stranger = door.browser();
      await towards(stranger);
      return back(stranger, query);
    }));

  test("it comes to a browser that was never sent anywhere", () =>
    refusedBy(async () => back(door.browser(), await provider.authorize(await towards(door.browser())))));

  test("it comes a second time, even before the first is through", async () => {
    const browser = door.browser();
    const query = await provider.authorize(await towards(browser));
    const before = (await sessions()) ?? 0;
    const answers = await Promise.all([1, 2, 3].map(() => browser.get(`/oidc/sso/callback?${query.toString()}`)));
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 403, 403]);
    await browser.get("/login/next");
    expect(await sessions()).toBe(before + 1);
    expect((await browser.get(`/oidc/sso/callback?${query.toString()}`)).status).toBe(403);
  });

  test("its code was used before, for another sign-in", async () => {
    const first = door.browser();
    const used = await provider.authorize(await towards(first));
    await back(first, used);
    await refusedBy(async () => {
      const second = door.browser();
      const query = await provider.authorize(await towards(second));
      query.set("code", used.get("code") ?? "");
      return back(second, query);
    });
  });

  test("it is another provider's (mix-up): at its address, or with its issuer", async () => {
    await refusedBy(async () => {
      const browser = door.browser();
      const query = await other.authorize(await towards(browser));
      return back(browser, query, { name: "other" });
    });
    await refusedBy(async () => {
      const browser = door.browser();
      const query = await provider.authorize(await towards(browser));
      query.set("iss", other.issuer);
      return back(browser, query);
    });
    await refusedBy(async () => {
      const browser = door.browser();
      const query = await provider.authorize(await towards(browser));
      query.delete("iss");
      return back(browser, query);
    });
  });

  test("its code is handed to no other provider, though that one names itself in no answer (mix-up)", async () => {
    const quiet = await startLyingProvider({ now: door.clock.now, metadata: { authorization_response_iss_parameter_supported: false } });
    try {
      await addOidc(door, { name: "quiet", settings: { issuer: quiet.issuer } });
      await refusedBy(async () => {
        const browser = door.browser();
        const query = await provider.authorize(await towards(browser));
        query.delete("iss");
        return back(browser, query, { name: "quiet" });
      });
      expect(quiet.exchanges).toEqual([]);
    } finally {
      await quiet.close();
    }
  });

  test("somebody refused there, and nothing of what the provider says comes onto our page", async () => {
    const browser = door.browser();
    const state = new URL(await towards(browser)).searchParams.get("state") ?? "";
    const answer = await back(
      browser,
      new URLSearchParams({ error: "access_denied", error_description: "<script>alert(1)</script>", state, iss: provider.issuer }),
    );
    expect(answer.status).toBe(403);
    expect(answer.text).not.toContain("alert(1)");
  });

  test("the connection was disabled in between, or names none", async () => {
    const browser = door.browser();
    const query = await provider.authorize(await towards(browser));
    await door.db.pool.query("update connections set enabled = false where name = 'sso'");
    try {
      expect((await back(browser, query)).status).toBe(404);
    } finally {
      await door.db.pool.query("update connections set enabled = true where name = 'sso'");
    }
    for (const name of ["nothing", "..%2f", "SSO", "%00"]) expect((await browser.get(`/oidc/${name}/login`)).status).toBe(404);
  });
});

test("G4: a way back to another site is none", async () => {
  for (const returnTo of ["https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)"]) {
    const browser = door.browser();
    await browser.get(`/oidc/sso/callback?${(await provider.authorize(await towards(browser, { returnTo }))).toString()}`);
    expect((await browser.get("/login/next")).location).toBe("/account");
  }
});

test("G4: the request has PKCE by S256, a nonce and a state of its own, and no secret", async () => {
  const [one, two] = [new URL(await towards(door.browser())), new URL(await towards(door.browser()))];
  expect(one.searchParams.get("code_challenge_method")).toBe("S256");
  for (const name of ["state", "nonce", "code_challenge"]) {
    expect(one.searchParams.get(name)?.length).toBeGreaterThanOrEqual(43);
    expect(one.searchParams.get(name)).not.toBe(two.searchParams.get(name));
  }
  expect(one.href).not.toContain("secret");
  const { rows } = await door.db.pool.query<{ state: string }>("select state::text from sign_ins");
  for (const { state } of rows) expect(state).not.toContain(one.searchParams.get("state") ?? "?");
});

function hs256({ publicJwk }: LyingProvider): NonNullable<Lies["idToken"]> {
  return async (claims) => hmac(claims, await exportSPKI((await importJWK(publicJwk, "RS256")) as CryptoKey));
}
