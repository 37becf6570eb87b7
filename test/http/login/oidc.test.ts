import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { refreshFederatedClaims } from "../../../src/jobs/refresh-claims.ts";
import { CLIENT, startCertifiedProvider, type CertifiedProvider } from "../../counterparts/oidc/certified-provider.ts";
import { testContext } from "../../helpers/database.ts";
import { keyRing } from "../scim/door.ts";
import type { Answer, Browser } from "./browser.ts";
import { openLogin, type LoginDoor } from "./login-door.ts";
import { addOidc, addressIn, back, BASE, towards } from "./oidc-door.ts";

let door: LoginDoor;
let provider: CertifiedProvider;
beforeAll(async () => {
  door = await openLogin({ signIn: { session: { most: 100 } } });
  provider = await startCertifiedProvider({ rollcall: BASE, calledAt: door.url });
  await addOidc(door, { settings: { ...CLIENT, issuer: provider.issuer, refreshHours: 1, title: "Example ID", domains: ["corp.test"] } });
});
afterAll(async () => {
  await provider.close();
  await door.close();
});

async function signIn(
  name: string,
  { browser = door.browser(), cookies = new Map<string, string>() } = {},
): Promise<{ browser: Browser; answer: Answer }> {
  return { browser, answer: await back(browser, await provider.signIn(await towards(browser), { name, cookies })) };
}
const rows = async <R extends object>(statement: string, values: readonly unknown[] = []): Promise<R[]> =>
  (await door.db.pool.query<R>(statement, [...values])).rows;
const personOf = (name: string) =>
  rows<{ id: string; title: string | null; state: string }>(
    "select p.id, p.attributes->>'title' as title, p.state from people p where user_name = $1",
    [name],
  );
const isIn = async (browser: Browser) => (await browser.get("/account")).status === 200;

describe("G4: signing in at a certified OpenID provider", () => {
  test("who is not known becomes a person through the connection's mapping, and is the same person the next time", async () => {
    provider.people.set("sub-fay", {
      email: "fay@corp.test",
      email_verified: true,
      name: "Fay",
      preferred_username: "fay",
      title: "Engineer",
    });
    const { browser, answer } = await signIn("sub-fay");
    expect(answer).toMatchObject({ status: 200 });
    expect(answer.text).toContain("Fay");
    expect(await personOf("fay")).toMatchObject([{ title: "Engineer", state: "active" }]);
    expect(await isIn(browser)).toBe(true);
    await signIn("sub-fay");
    expect(await personOf("fay")).toHaveLength(1);
    const [session] = await rows<{ methods: string[] }>(
      "select methods, federation_subject, federation_session is not null as sid from sessions where federation_subject = 'sub-fay' limit 1",
    );
    expect(session).toMatchObject({ methods: ["oidc"], federation_subject: "sub-fay", sid: true });
  });

  test("somebody who is here already is found by a verified address alone, is told so, and the trail says so", async () => {
    const { personId } = await door.newPerson({ userName: "ada", email: "ada@corp.test" });
    provider.people.set("sub-eve", { email: "ada@corp.test", email_verified: false, preferred_username: "eve", name: "Eve" });
    provider.people.set("sub-ada", { email: "Ada@corp.test", email_verified: true, preferred_username: "ada", name: "Ada" });
    await signIn("sub-eve");
    expect(await rows("select 1 from accounts where person_id = $1", [personId])).toEqual([]);
    expect((await personOf("eve")).map(({ id }) => id)).not.toContain(personId);
    expect((await signIn("sub-ada")).answer.status).toBe(200);
    expect(await rows("select native_id from accounts where person_id = $1", [personId])).toEqual([{ native_id: "sub-ada" }]);
    expect(await rows("select notice from notices where person_id = $1 and notice = 'sign_in.linked'", [personId])).toHaveLength(1);
    expect(await rows("select 1 from audit_events where name = 'person.linked' and subject_id = $1", [personId])).toHaveLength(1);
  });

  test("who is suspended here, or unknown where nobody is made, is told the same, and has no session", async () => {
    await door.db.pool.query("update connections set policy = jsonb_set(policy, '{signIn,create}', 'false') where name = 'sso'");
    provider.people.set("sub-new", { email: "new@corp.test", email_verified: true, preferred_username: "newcomer" });
    const unknown = await signIn("sub-new");
    await door.db.pool.query("update connections set policy = jsonb_set(policy, '{signIn,create}', 'true') where name = 'sso'");
    const { personId } = await door.newPerson({ userName: "sid", email: "sid@corp.test" });
    await door.db.pool.query("update people set state = 'suspended', active = false where id = $1", [personId]);
    provider.people.set("sub-sid", { email: "sid@corp.test", email_verified: true, preferred_username: "sid" });
    const suspended = await signIn("sub-sid");
    for (const { answer, browser } of [unknown, suspended]) {
      expect(answer.status).toBe(403);
      expect(answer.text).toContain("can&#39;t be let in here at the moment");
      expect(await isIn(browser)).toBe(false);
    }
    expect(suspended.answer.text).toBe(unknown.answer.text);
    expect(await rows("select 1 from sessions where person_id = $1", [personId])).toEqual([]);
    expect(await rows("select why from sign_in_attempts where person_id = $1", [personId])).toEqual([{ why: "not_active" }]);
    expect(await rows("select situation from accounts where native_id = 'sub-new'")).toEqual([{ situation: "unmatched" }]);
  });

  test("the page of names leads there, by the address's domain or a button", async () => {
    const browser = door.browser();
    const page = await browser.get("/login");
    expect(page.text).toContain("Example ID");
    const answer = await browser.submit("/login", { name: "anybody@corp.test" });
    expect(answer.location).toMatch(/^\/oidc\/sso\/login/);
    expect(addressIn(await browser.get(answer.location ?? ""))).toContain(provider.issuer);
  });
});

describe("G4, G6: signing out", () => {
  test("at the provider ends the session here, by a call of the provider's that is good once", async () => {
    provider.people.set("sub-hal", { email: "hal@corp.test", email_verified: true, preferred_username: "hal" });
    const cookies = new Map<string, string>();
    const { browser } = await signIn("sub-hal", { cookies });
    const elsewhere = await signIn("sub-hal");
    expect(await isIn(browser)).toBe(true);
    const page = await fetch(`${provider.issuer}/session/end?client_id=rollcall`, { headers: { cookie: text(cookies) } });
    const html = await page.text();
    for (const line of page.headers.getSetCookie()) keep(cookies, line);
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(html)?.[1] ?? "";
    await fetch(`${provider.issuer}/session/end/confirm`, {
      method: "POST",
      redirect: "manual",
      headers: { cookie: text(cookies), "Content-Type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ xsrf, logout: "yes" }).toString(),
    });
    expect(provider.calls).toEqual(["ok"]);
    expect(await isIn(browser)).toBe(false);
    // Another session there is another session here.
    expect(await isIn(elsewhere.browser)).toBe(true);
  });

  test("here leads on to the provider, and from there to the sign-in page", async () => {
    const { browser } = await signIn("sub-fay");
    await browser.get("/logout");
    const out = await browser.submit("/logout");
    expect(out.location).toBe("/oidc/sso/logout");
    const there = new URL(addressIn(await browser.get("/oidc/sso/logout")));
    expect(there.origin).toBe(provider.issuer);
    expect(there.searchParams.get("post_logout_redirect_uri")).toBe(`${BASE}/oidc/sso/logout`);
    expect((await browser.get(`/oidc/sso/logout?state=${there.searchParams.get("state") ?? ""}`)).location).toBe("/login");
    expect(await isIn(browser)).toBe(false);
  });

  test("in a frame of the provider's page ends the session that it names, and no other", async () => {
    const { browser } = await signIn("sub-fay");
    const other = await signIn("sub-fay");
    const [session] = await rows<{ sid: string }>(
      "select federation_session as sid from sessions where federation_subject = 'sub-fay' and ended_at is null order by created_at desc offset 1 limit 1",
    );
    const stranger = door.browser();
    const call = (iss: string) =>
      stranger.get(`/oidc/sso/frontchannel?${new URLSearchParams({ iss, sid: session?.sid ?? "" }).toString()}`);
    expect((await call("https://evil.test")).status).toBe(200);
    expect(await isIn(browser)).toBe(true);
    const answer = await call(provider.issuer);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-security-policy")).toContain(`frame-ancestors ${provider.issuer}`);
    expect(await isIn(browser)).toBe(false);
    expect(await isIn(other.browser)).toBe(true);
  });
});

describe("G4: what the provider says is refreshed without a new sign-in", () => {
  const refresh = () => refreshFederatedClaims(testContext({ now: door.clock.now }), { db: door.db, keyRing });

  test("a change there acts here, the token is sealed and exchanged for the next; who is disabled there is signed out", async () => {
    provider.people.set("sub-ida", { email: "ida@corp.test", email_verified: true, preferred_username: "ida", title: "Engineer" });
    const { browser } = await signIn("sub-ida");
    const grant = () => rows<{ sealed: string; due_at: Date }>("select sealed, due_at from offline_grants where native_id = 'sub-ida'");
    const [before] = await grant();
    expect(before?.sealed).toMatch(/^v1\./);
    provider.people.set("sub-ida", { email: "ida@corp.test", email_verified: true, preferred_username: "ida", title: "Lead" });
    await refresh();
    expect(await personOf("ida")).toMatchObject([{ title: "Engineer" }]);
    await door.db.pool.query("update offline_grants set due_at = now() - interval '1 minute'");
    await refresh();
    expect(await personOf("ida")).toMatchObject([{ title: "Lead" }]);
    const [after] = await grant();
    expect(after?.sealed).not.toBe(before?.sealed);
    provider.people.delete("sub-ida");
    await door.db.pool.query("update offline_grants set due_at = now() - interval '1 minute'");
    await refresh();
    expect(await grant()).toEqual([]);
    expect(await isIn(browser)).toBe(false);
  });

  test("G6: who has signed in anew while the provider was asked by the token before stays in, and is asked about by the new one", async () => {
    provider.people.set("sub-kai", { email: "kai@corp.test", email_verified: true, preferred_username: "kai" });
    await signIn("sub-kai");
    const grant = () => rows<{ sealed: string; due_at: Date }>("select sealed, due_at from offline_grants where native_id = 'sub-kai'");
    const [before] = await grant();
    await door.db.pool.query("update offline_grants set due_at = now() - interval '1 minute' where native_id = 'sub-kai'");
    const kai = provider.people.get("sub-kai");
    let anew: Browser | undefined;
    // The provider has begun to look whether the one before still holds, and answers that it does not.
    provider.beforeTokens = async () => {
      anew = (await signIn("sub-kai")).browser;
      provider.people.delete("sub-kai");
    };
    await refresh();
    if (!anew) throw new Error("the provider was not asked");
    expect(await isIn(anew)).toBe(true);
    const [after] = await grant();
    expect(after?.sealed).not.toBe(before?.sealed);
    expect(after?.due_at.getTime()).toBeGreaterThan(door.clock.now().getTime());
    // Nor does what is said to the one before take the new one's place.
    if (kai) provider.people.set("sub-kai", kai);
    await door.db.pool.query("update offline_grants set due_at = now() - interval '1 minute' where native_id = 'sub-kai'");
    let second: string | undefined;
    provider.beforeTokens = async () => {
      await signIn("sub-kai");
      second = (await grant())[0]?.sealed;
    };
    await refresh();
    expect((await grant())[0]?.sealed).toBe(second);
  });

  test("a provider that does not answer is asked again later, and nothing changes", async () => {
    provider.people.set("sub-jon", { email: "jon@corp.test", email_verified: true, preferred_username: "jon" });
    const { browser } = await signIn("sub-jon");
    await door.db.pool.query(
      "update connections set settings = jsonb_set(settings, '{issuer}', '\"http://127.0.0.1:1\"') where name = 'sso'",
    );
    try {
      await door.db.pool.query("update offline_grants set due_at = now() - interval '1 minute' where native_id = 'sub-jon'");
      await refresh();
    } finally {
      await door.db.pool.query("update connections set settings = jsonb_set(settings, '{issuer}', to_jsonb($1::text)) where name = 'sso'", [
        provider.issuer,
      ]);
    }
    expect(await rows("select failures from offline_grants where native_id = 'sub-jon' and due_at > now()")).toEqual([{ failures: 1 }]);
    expect(await isIn(browser)).toBe(true);
  });
});

test("G4: requests are signed, handed over beforehand, the client proves itself by a key, and tokens are encrypted, where the provider offers it", async () => {
  const [pem, encryptionKey] = [1, 2].map(() =>
    generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  );
  await addOidc(door, {
    name: "keyed",
    settings: { issuer: "http://127.0.0.1:1", clientSecret: undefined, privateKey: pem, encryptionKey, requireEncryption: true },
  });
  const asked: string[] = [];
  const keyed = await startCertifiedProvider({
    rollcall: BASE,
    calledAt: door.url,
    connection: "keyed",
    client: {
      client_secret: undefined,
      token_endpoint_auth_method: "private_key_jwt",
      // The provider reads them where we publish them.
      jwks_uri: `${door.url}/oidc/keyed/keys`,
      id_token_encrypted_response_alg: "RSA-OAEP-256",
      id_token_encrypted_response_enc: "A256GCM",
      request_object_signing_alg: "RS256",
      require_signed_request_object: true,
      require_pushed_authorization_requests: true,
    },
    features: {
      encryption: { enabled: true },
      requestObjects: { enabled: true, request: true },
      pushedAuthorizationRequests: { enabled: true },
    },
  });
  try {
    await door.db.pool.query("update connections set settings = jsonb_set(settings, '{issuer}', to_jsonb($1::text)) where name = 'keyed'", [
      keyed.issuer,
    ]);
    keyed.people.set("sub-kim", { email: "kim@corp.test", email_verified: true, preferred_username: "kim" });
    const browser = door.browser();
    const address = await towards(browser, { name: "keyed" });
    asked.push(...new URL(address).searchParams.keys());
    expect(asked.sort()).toEqual(["client_id", "request_uri"]);
    const answer = await back(browser, await keyed.signIn(address, { name: "sub-kim" }), { name: "keyed" });
    expect(answer.status).toBe(200);
    expect(await personOf("kim")).toHaveLength(1);
    const keys = await door.browser().get("/oidc/keyed/keys");
    expect(JSON.parse(keys.text)).toMatchObject({
      keys: [
        { kty: "RSA", use: "sig", alg: "RS256" },
        { kty: "RSA", use: "enc", alg: "RSA-OAEP-256" },
      ],
    });
    expect(keys.text).not.toContain('"d"');
  } finally {
    await keyed.close();
  }
});

function text(cookies: ReadonlyMap<string, string>): string {
  return [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
}

function keep(cookies: Map<string, string>, line: string): void {
  const [pair = ""] = line.split(";");
  cookies.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
}
