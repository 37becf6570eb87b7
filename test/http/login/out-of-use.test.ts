import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { randomBytes, randomUUID } from "node:crypto";
import { factorsOf, removeFactor, resetFactors } from "../../../src/auth/factors/factors.ts";
import { createLink } from "../../../src/auth/links/links.ts";
import { setTemporaryPassword } from "../../../src/auth/passwords/set.ts";
import type { SignInMethod } from "../../../src/auth/sessions/session.ts";
import { startSession, type NewSession } from "../../../src/auth/sessions/start.ts";
import { isIssuerOfAccounts } from "../../../src/auth/sign-in/issuer.ts";
import { beginSignIn, findSignIn, passFirst, passSecond } from "../../../src/auth/sign-in/store.ts";
import { createToken } from "../../../src/auth/tokens.ts";
import { changeConnection } from "../../../src/connections/change-connection.ts";
import { findConnection } from "../../../src/connections/open.ts";
import { removeConnection } from "../../../src/connections/store.ts";
import { COOKIES } from "../../../src/http/login/cookies.ts";
import { keyRing } from "../scim/door.ts";
import { openLogin, PASSWORD, type LoginDoor } from "./login-door.ts";
import { addOidc } from "./oidc-door.ts";

let door: LoginDoor;
beforeAll(async () => (door = await openLogin()));
afterAll(() => door?.close());

const ISSUER = "https://id.example.com";

/** A session of somebody; returns how a request with its cookie is answered. */
async function session(options: Pick<NewSession, "personId" | "methods" | "federation">) {
  const { id, secret } = await door.work((work) => startSession(work, { ...options, settings: door.settings.session }));
  const browser = door.browser();
  browser.cookies.set(COOKIES.session, secret);
  return { id, browser, isAlive: async () => (await browser.get("/account/token")).status === 200 };
}

/** A sign-in that has passed its first factor and, where it is named, its second. */
async function underWay({ personId, connectionId, second }: { personId: string; connectionId?: number; second?: SignInMethod }) {
  const { secret } = await door.work(async (work) => {
    const { signIn } = await beginSignIn(work);
    const federation = connectionId === undefined ? undefined : { connectionId, subject: personId };
    const passed = await passFirst(work, { signIn, personId, method: federation ? "oidc" : "password", federation });
    if (second) await passSecond(work, { signIn: passed.signIn, method: second });
    return passed;
  });
  return async () => (await findSignIn(door.db.pool, { secret, now: door.clock.now() })) !== undefined;
}

async function addFactorRow(personId: string, kind: "passkey" | "totp"): Promise<string> {
  const id = randomUUID();
  await door.db.pool.query(
    `insert into factors (id, person_id, kind, label, sealed, created_at, credential_id, public_key, sign_count, transports, backed_up)
     values ($1, $2, $3, $3, $4, now(), $5, $6, $7, '{}', $8)`,
    kind === "totp"
      ? [id, personId, kind, "sealed", null, null, null, null]
      : [id, personId, kind, null, randomBytes(16), randomBytes(32), 0, false],
  );
  return id;
}

async function linkAccount(connectionId: number, personId: string): Promise<void> {
  await door.db.pool.query(
    `insert into accounts (connection_id, kind, native_id, attributes, hash, mapping_version, situation, person_id, first_seen_at, changed_at)
     values ($1, 'user', $2::text, '{}', '', 1, 'linked', $2::uuid, now(), now())`,
    [connectionId, personId],
  );
}

const endedEvents = async (personId: string) =>
  (
    await door.db.pool.query<{ reason: string }>(
      "select reason from audit_events where name = 'session.ended' and subject_id = $1 order by id",
      [personId],
    )
  ).rows.map(({ reason }) => reason);

describe("an identity provider is taken out of use", () => {
  test("G4, G6: disabled or removed, its sessions and sign-ins end in that transaction, recorded; others stay", async () => {
    for (const how of ["disabled", "removed"] as const) {
      const name = `idp-${how}`;
      const connectionId = await addOidc(door, { name, settings: { issuer: ISSUER } });
      const { personId } = await door.newPerson();
      const federated = await session({ personId, methods: ["oidc"], federation: { connectionId, subject: "ada" } });
      const own = await session({ personId, methods: ["password"] });
      const waits = await underWay({ personId, connectionId });
      const ownWaits = await underWay({ personId });
      expect(await federated.isAlive()).toBe(true);
      await door.work(async (work) => {
        if (how === "removed") return removeConnection(work, { name });
        const row = await findConnection(work.sql, name);
        return changeConnection(work, { row, change: { enabled: false }, keyRing, folders: [] });
      });
      expect([await federated.isAlive(), await waits()]).toEqual([false, false]);
      expect([await own.isAlive(), await ownWaits()]).toEqual([true, true]);
      expect(await endedEvents(personId)).toEqual([
        how === "removed" ? "the identity provider was removed" : "the identity provider was taken out of use",
      ]);
    }
  });

  test("G4: a connection with accounts is not pointed at another issuer; without accounts it may be", async () => {
    const connectionId = await addOidc(door, { name: "moving", settings: { issuer: ISSUER } });
    const { personId } = await door.newPerson();
    await linkAccount(connectionId, personId);
    const settings = (issuer: string) => ({ issuer, clientId: "rollcall", clientSecret: "a-secret-of-32-characters-or-more" });
    const move = (issuer: string) =>
      door.work(async (work) =>
        changeConnection(work, {
          row: await findConnection(work.sql, "moving"),
          change: { settings: settings(issuer) },
          keyRing,
          folders: [],
        }),
      );
    await expect(move("https://other.example.com")).rejects.toMatchObject({ code: "conflict", field: "settings" });
    await door.db.pool.query("delete from accounts where connection_id = $1", [connectionId]);
    expect((await move("https://other.example.com")).changed).toContain("settings");
  });

  test("G4: metadata that come to name another provider don't make it speak for the accounts of the one before", async () => {
    const connectionId = await addOidc(door, { name: "renamed", settings: { issuer: ISSUER } });
    const believes = (issuer: string) => door.work((work) => isIssuerOfAccounts(work, { connectionId, issuer }));
    expect(await believes("urn:first")).toBe(true);
    expect(await believes("urn:second")).toBe(true);
    const { personId } = await door.newPerson();
    await linkAccount(connectionId, personId);
    expect([await believes("urn:first"), await believes("urn:second")]).toEqual([false, true]);
  });
});

describe("second factors are taken away", () => {
  test("G3, G6: a reset ends sign-ins under way and every session that a factor has proven; others stay", async () => {
    const { personId } = await door.newPerson();
    await addFactorRow(personId, "totp");
    const steppedUp = await session({ personId, methods: ["password", "totp"] });
    const recovered = await session({ personId, methods: ["password", "recovery"] });
    const plain = await session({ personId, methods: ["password"] });
    const past = await underWay({ personId, second: "totp" });
    const first = await underWay({ personId });
    await door.work((work) => resetFactors(work, { keyRing, personId, reason: "lost" }));
    expect([await steppedUp.isAlive(), await recovered.isAlive(), await past(), await first()]).toEqual([false, false, false, false]);
    expect(await plain.isAlive()).toBe(true);
    expect(await endedEvents(personId)).toEqual(["the second factors were reset"]);
  });

  test("G3: who takes a factor away ends the other sessions that its kind has proven, and keeps their own", async () => {
    const { personId } = await door.newPerson();
    const factorId = await addFactorRow(personId, "totp");
    const own = await session({ personId, methods: ["password", "totp"] });
    const elsewhere = await session({ personId, methods: ["password", "totp"] });
    await own.browser.get("/account/factors");
    expect((await own.browser.submit("/account/factors/remove", { factor: factorId })).status).toBe(303);
    expect([await own.isAlive(), await elsewhere.isAlive()]).toEqual([true, false]);
  });

  test("G3: the passkey that alone lets somebody in stays, and the page says what to do", async () => {
    const { personId } = await door.newPerson({ password: null });
    const passkey = await addFactorRow(personId, "passkey");
    await addFactorRow(personId, "totp");
    const { browser } = await session({ personId, methods: ["passkey"] });
    await browser.get("/account/factors");
    const kept = await browser.submit("/account/factors/remove", { factor: passkey });
    expect([kept.status, kept.text.includes("Add another passkey")]).toEqual([409, true]);
    const remove = (factorId: string) => door.work((work) => removeFactor(work, { keyRing, personId, factorId }));
    await expect(remove(passkey)).rejects.toMatchObject({ code: "conflict", field: "last_way_in" });
    // A temporary password that is over lets nobody in, nor does a provider out of use.
    await door.db.pool.query("insert into passwords (person_id, hash, set_at, temporary_until) values ($1, 'x', now(), now())", [personId]);
    const connectionId = await addOidc(door, { name: "way-in", settings: { issuer: ISSUER } });
    await linkAccount(connectionId, personId);
    await door.db.pool.query("update connections set enabled = false where id = $1", [connectionId]);
    await expect(remove(passkey)).rejects.toMatchObject({ field: "last_way_in" });
    await door.db.pool.query("update connections set enabled = true where id = $1", [connectionId]);
    await remove(passkey);
    expect((await factorsOf(door.db.pool, personId)).map(({ kind }) => kind)).toEqual(["totp"]);
  });
});

describe("somebody was robbed", () => {
  const live = async (personId: string) =>
    (await door.db.pool.query("select from tokens where person_id = $1 and revoked_at is null", [personId])).rowCount;
  const withToken = async () => {
    const { personId } = await door.newPerson();
    await door.work((work) => createToken(work, { name: "hers", scope: "api", personId }));
    return { personId, own: await session({ personId, methods: ["password"] }) };
  };

  test("G2, G5: an administrator's temporary password ends the person's API tokens; their own change does where they tick it", async () => {
    const robbed = await withToken();
    await door.work((work) => setTemporaryPassword(work, { personId: robbed.personId, keyRing, settings: door.settings.password }));
    expect(await live(robbed.personId)).toBe(0);
    const { rows } = await door.db.pool.query("select data from audit_events where name = 'token.revoked' and subject_id = $1", [
      robbed.personId,
    ]);
    expect(rows).toEqual([{ data: { count: 1 } }]);
    for (const [tokens, left] of [
      [{}, 1],
      [{ tokens: "end" }, 0],
    ] as const) {
      const { personId, own } = await withToken();
      expect((await own.browser.get("/account/password")).text).toContain("End my API tokens, too (1)");
      const changed = { current: PASSWORD, password: "seven loud badgers waltz", again: "seven loud badgers waltz", ...tokens };
      expect((await own.browser.submit("/account/password", changed)).status).toBe(303);
      expect(await live(personId)).toBe(left);
    }
  });

  test("G5, G6: a link to set a password and signing out everywhere else offer to end them, too", async () => {
    const { personId, own } = await withToken();
    const { token } = await door.work((work) => createLink(work, { personId, purpose: "reset", hours: 1 }));
    const browser = door.browser();
    await browser.get("/login/link");
    expect((await browser.submit("/login/link", { code: token })).text).toContain("End my API tokens, too (1)");
    const password = "seven loud badgers waltz";
    expect((await browser.submit("/login/link/password", { code: token, password, again: password, tokens: "end" })).status).toBe(200);
    expect([await live(personId), await own.isAlive()]).toEqual([0, false]);
    const other = await withToken();
    expect((await other.own.browser.get("/account")).text).toContain("End my API tokens, too (1)");
    await other.own.browser.submit("/account/sessions/end", { tokens: "end" });
    expect([await live(other.personId), await other.own.isAlive()]).toEqual([0, true]);
  });
});
