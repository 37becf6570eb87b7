import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { findSignIn } from "../../../src/auth/sign-in/store.ts";
import { COOKIES } from "../../../src/http/login/cookies.ts";
import { newKeys, providerMetadata } from "../../auth/saml/signer.ts";
import type { Browser } from "./browser.ts";
import { openLogin, type LoginDoor } from "./login-door.ts";
import { addOidc } from "./oidc-door.ts";
import { addSaml, answerOf, begin, ownMetadataOf, post } from "./saml-door.ts";

const MOST = 6;
const NETWORK = 4;
const OWN = 3;
const NO_PASSKEY = {
  id: "AAAA",
  rawId: "AAAA",
  type: "public-key",
  response: { clientDataJSON: "e30", authenticatorData: "AAAA", signature: "AAAA" },
};
const LIMITS = {
  beginnings: { attempts: MOST, minutes: 5 },
  network: { attempts: NETWORK, minutes: 15 },
  device: { attempts: OWN, minutes: 15 },
};
let door: LoginDoor;
beforeAll(async () => (door = await openLogin({ signIn: { limits: LIMITS } })), 60_000);
afterAll(() => door?.close());

const rowsOf = async (table: "sign_ins" | "factor_challenges") =>
  (await door.db.pool.query<{ count: number }>(`select count(*)::int as count from ${table}`)).rows[0]?.count;

test("W2: a browser that begins again and again leaves one row, its earlier cookies are worth nothing, and a network has its bound", async () => {
  const browser = door.browser();
  await browser.get("/login");
  const secrets: string[] = [];
  for (let each = 0; each < MOST; each += 1) {
    expect((await browser.json("/login/passkey/options", {})).status).toBe(200);
    secrets.push(browser.cookies.get(COOKIES.signIn) ?? "");
    await browser.get("/login");
  }
  expect([await rowsOf("sign_ins"), await rowsOf("factor_challenges")]).toEqual([1, 1]);
  const found = await Promise.all(secrets.map((secret) => findSignIn(door.db.pool, { secret, now: door.clock.now() })));
  expect(found.map((each) => each !== undefined)).toEqual([...Array.from({ length: MOST - 1 }, () => false), true]);
  await addOidc(door, { settings: { issuer: "https://id.example.com" } });
  for (const refused of [await browser.json("/login/passkey/options", {}), await door.browser().get("/oidc/sso/login")]) {
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  }
  expect(await rowsOf("sign_ins")).toBe(1);
  door.clock.forward(5 * 60_000);
  expect((await browser.json("/login/passkey/options", {})).status).toBe(200);
});

test("G3: proving oneself again, begun again and again, is one row of its session", async () => {
  door.clock.forward(5 * 60_000);
  const { personId, userName } = await door.newPerson();
  const browser = door.browser();
  await door.signIn(browser, { name: userName });
  await door.db.pool.query(
    "insert into factors (id, person_id, kind, label, sealed, created_at, transports) values ($1, $2, 'totp', 'App', 'sealed', now(), '{}')",
    [randomUUID(), personId],
  );
  const before = (await rowsOf("sign_ins")) ?? 0;
  for (let each = 0; each < 3; each += 1) expect((await browser.get("/login/step-up")).location).toBe("/login/second-factor");
  expect(await rowsOf("sign_ins")).toBe(before + 1);
});

test("W2: whoever begins again and again from one's own network keeps no browser out from which somebody has signed in before", async () => {
  door.clock.forward(5 * 60_000);
  const { userName } = await door.newPerson();
  const browser = door.browser();
  await door.signIn(browser, { name: userName });
  await browser.submit("/logout");
  const begins = async (each: Browser) => (await each.get("/login"), (await each.json("/login/passkey/options", {})).status);
  for (let count = 0; count < MOST; count += 1) expect(await begins(door.browser())).toBe(200);
  expect(await begins(door.browser())).toBe(429);
  for (let count = 0; count < MOST; count += 1) expect(await begins(browser)).toBe(200);
  expect(await begins(browser)).toBe(429);
});

test("W2: whatever others send from one's own network, who was sent to the identity provider or asked for a passkey comes back in", async () => {
  door.clock.forward(5 * 60_000);
  const idp = newKeys("idp");
  await addSaml(door, { name: "corp", settings: { metadata: providerMetadata([idp.certificate]) } });
  const own = await ownMetadataOf(door, "corp");
  const { userName } = await door.newPerson();
  const [browser, key] = [door.browser(), door.browser()];
  const { id } = await begin(browser, "corp");
  await key.get("/login");
  await key.json("/login/passkey/options", {});
  const thrown: number[] = [];
  for (let each = 0; each <= NETWORK; each += 1) thrown.push((await post(door.browser(), own.acsUrl, { SAMLResponse: "PHg+" })).status);
  expect(thrown).toEqual([...Array.from({ length: NETWORK }, () => 403), 429]);
  await key.get("/login");
  expect((await key.json("/login/passkey", { response: NO_PASSKEY })).status).toBe(401);
  const SAMLResponse = answerOf({ key: idp, own, now: door.clock.now(), nameId: userName, inResponseTo: id });
  expect((await browser.follow(await post(browser, own.acsUrl, { SAMLResponse }))).text).toContain(`You are signed in as ${userName}.`);
  // What a browser waits for lets it try so often, and no more.
  await begin(browser, "corp");
  const tried: number[] = [];
  for (let each = 0; each <= OWN; each += 1) tried.push((await post(browser, own.acsUrl, { SAMLResponse: "PHg+" })).status);
  expect(tried).toEqual([...Array.from({ length: OWN }, () => 403), 429]);
});
