import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { createRule } from "../../../src/access/rules.ts";
import { createUnit } from "../../../src/directory/units.ts";
import { runSync } from "../../../src/sync/run.ts";
import { startLyingProvider, type LyingProvider } from "../../counterparts/oidc/lying-provider.ts";
import { testContext } from "../../helpers/database.ts";
import { keyRing } from "../scim/door.ts";
import { openLogin, type LoginDoor } from "./login-door.ts";
import { addOidc, back, MAPPING, towards } from "./oidc-door.ts";

let door: LoginDoor;
let provider: LyingProvider;
beforeAll(async () => {
  door = await openLogin({ signIn: { limits: { network: { attempts: 10_000 }, overall: { attempts: 10_000 } } } });
  provider = await startLyingProvider({ now: door.clock.now });
  await addOidc(door, {
    settings: { issuer: provider.issuer },
    mapping: { user: { attributes: { ...MAPPING.user.attributes, active: "account.enabled" } } },
    policy: { signIn: { create: true, verifiedDomains: ["own.test"] } },
  });
});
afterAll(async () => {
  await provider.close();
  await door.close();
});

async function signIn(sub: string, claims: Record<string, unknown>) {
  const browser = door.browser();
  const answer = await back(browser, await provider.authorize(await towards(browser), { sub, claims }));
  return { browser, answer };
}
const rows = async <R extends object>(statement: string, values: readonly unknown[] = []): Promise<R[]> =>
  (await door.db.pool.query<R>(statement, [...values])).rows;

test("G4: where a guard of the connection trips, the person is told politely, the trail has it, and nothing was changed", async () => {
  await signIn("una", { preferred_username: "una", enabled: true });
  await door.db.pool.query(`update connections set limits = jsonb_set(limits, '{disable}', '{"count": 0, "share": 0.1, "floor": 0}')`);
  const { answer, browser } = await signIn("una", { preferred_username: "una", enabled: false });
  await door.db.pool.query(`update connections set limits = jsonb_set(limits, '{disable}', '{"count": 500, "share": 1, "floor": 500}')`);
  expect(answer.status).toBe(403);
  expect(answer.text).toContain("can&#39;t be let in here at the moment");
  expect((await browser.get("/account")).status).toBe(303);
  expect(await rows("select state from people where user_name = 'una'")).toEqual([{ state: "active" }]);
  expect(await rows("select subject_id from audit_events where name = 'request.held'")).toEqual([{ subject_id: "sso" }]);
});

test("G4, G6: who the provider says is not active any more is refused, and signed out everywhere", async () => {
  const { browser } = await signIn("vic", { preferred_username: "vic", enabled: true });
  expect((await browser.get("/account")).status).toBe(200);
  expect((await signIn("vic", { preferred_username: "vic", enabled: false })).answer.status).toBe(403);
  expect((await browser.get("/account")).status).toBe(303);
  expect(await rows("select state from people where user_name = 'vic'")).toEqual([{ state: "suspended" }]);
});

test("G4, A6: claims that take the last administrator's rights away wait, and the administrator is let in; who would be disabled is not", async () => {
  await signIn("zoe", { preferred_username: "zoe", title: "Chief", enabled: true });
  await door.work(async (work) => {
    await createUnit(work, { name: "Company", type: "organization", code: "ORG" });
    await createRule(work, { name: "chiefs", condition: 'person.profile.title == "Chief"', role: "rollcall-administrator", unit: "ORG" });
  });
  const held = () => rows("select data from audit_events where name = 'request.held' and data->>'guard' = 'administrator'");
  const { browser } = await signIn("zoe", { preferred_username: "zoe", title: "Clerk", enabled: true });
  expect((await browser.get("/account")).status).toBe(200);
  expect(await rows("select attributes->>'title' as title from people where user_name = 'zoe'")).toEqual([{ title: "Chief" }]);
  expect(await held()).toHaveLength(1);
  expect((await signIn("zoe", { preferred_username: "zoe", title: "Chief", enabled: false })).answer.status).toBe(403);
  expect(await held()).toHaveLength(2);
  expect((await browser.get("/account")).status).toBe(200);
  await signIn("yan", { preferred_username: "yan", title: "Chief", enabled: true });
  await signIn("zoe", { preferred_username: "zoe", title: "Clerk", enabled: true });
  expect(await rows("select attributes->>'title' as title from people where user_name = 'zoe'")).toEqual([{ title: "Clerk" }]);
});

test("G4: an address of a domain that is the provider's own finds its person, verified or not", async () => {
  const { personId } = await door.newPerson({ userName: "wim", email: "wim@own.test" });
  await signIn("sub-wim", { preferred_username: "wim-there", email: "wim@own.test" });
  expect(await rows("select person_id from accounts where native_id = 'sub-wim'")).toEqual([{ person_id: personId }]);
});

test("G4: an address that has just become somebody's finds nobody, as no reset goes there; it does later, or by another key", async () => {
  const { personId, userName } = await door.newPerson({ userName: "victim", email: "victim@corp.test" });
  const becomes = (email: string) =>
    door.db.pool.query("update people set email = $2, modified_at = $3 where id = $1", [personId, email, door.clock.now()]);
  const links = () => rows("select native_id from accounts where person_id = $1", [personId]);
  await becomes("thief@corp.test");
  const thief = { preferred_username: "thief", email: "thief@corp.test", email_verified: true };
  expect((await signIn("sub-thief", thief)).answer.status).toBe(403);
  expect(await links()).toEqual([]);
  expect(await rows("select 1 from accounts where native_id = 'sub-thief'")).toEqual([]);
  expect(await rows("select 1 from people where user_name = 'thief'")).toEqual([]);
  expect(await rows("select outcome, why from sign_in_attempts where why = 'new_address'")).toEqual([
    { outcome: "refused", why: "new_address" },
  ]);
  await door.db.pool.query(`update connections set mapping = jsonb_set(mapping, '{match}', '["emails", "userName"]')`);
  expect((await signIn("sub-other", { ...thief, preferred_username: userName })).answer.status).toBe(200);
  expect(await links()).toEqual([{ native_id: "sub-other" }]);
  await door.db.pool.query(`update connections set mapping = jsonb_set(mapping, '{match}', '["emails"]')`);
  await door.db.pool.query("delete from accounts where person_id = $1", [personId]);
  door.clock.forward(24 * 3_600_000 + 1000);
  await signIn("sub-thief", thief);
  expect(await links()).toEqual([{ native_id: "sub-thief" }]);
  // Who has only this account here has a way in, too.
  await door.db.pool.query("delete from passwords where person_id = $1", [personId]);
  await door.db.pool.query("delete from sessions where person_id = $1", [personId]);
  await becomes("other@corp.test");
  expect(await rows("select new_address from address_changes where person_id = $1 order by id desc limit 1", [personId])).toEqual([
    { new_address: "other@corp.test" },
  ]);
});

test("G4: a mapping that is applied anew ties no account to anybody, and makes nobody, of accounts whose sign-in did not", async () => {
  const { personId } = await door.newPerson({ userName: "amy", email: "amy@corp.test" });
  const strict = { name: "strict", settings: { issuer: provider.issuer }, policy: { signIn: { create: false, link: false } } };
  await addOidc(door, strict);
  for (const who of ["amy", "bob"]) {
    const browser = door.browser();
    const claims = { preferred_username: who, email: `${who}@corp.test`, email_verified: true };
    const query = await provider.authorize(await towards(browser, { name: "strict" }), { sub: `strict-${who}`, claims });
    expect((await back(browser, query, { name: "strict" })).status).toBe(403);
  }
  const kept = () => rows("select native_id, situation, person_id from accounts where native_id like 'strict-%' order by native_id");
  const asideAtSignIn = [
    { native_id: "strict-amy", situation: "disputed", person_id: null },
    { native_id: "strict-bob", situation: "unmatched", person_id: null },
  ];
  expect(await kept()).toEqual(asideAtSignIn);
  await door.db.pool.query("update connections set mapping_version = mapping_version + 1 where name = 'strict'");
  const ctx = testContext({ now: door.clock.now });
  await runSync(ctx, { db: door.db, keyRing, connection: "strict", mode: "remap", trigger: "cli" });
  expect(await kept()).toEqual(asideAtSignIn);
  expect(await rows("select 1 from people where user_name = 'bob'")).toEqual([]);
  expect(await rows("select 1 from accounts where person_id = $1", [personId])).toEqual([]);
});

test("G4: an address that is not verified signs nobody in as somebody else, whatever else is claimed", async () => {
  const { personId } = await door.newPerson({ userName: "xia", email: "xia@corp.test" });
  const email = fc.constantFrom("xia@corp.test", "XIA@corp.test", " xia@corp.test", ["xia@corp.test"]);
  const claims = fc.record(
    {
      email,
      email_verified: fc.constantFrom(false, "true", 1, null, "yes", {}, ["true"]),
      preferred_username: fc.constantFrom("xia", "xia@corp.test", "mallory"),
      upn: email,
      xms_edov: fc.constantFrom(true, 1, "1"),
      hd: fc.constantFrom("corp.test", "own.test"),
    },
    { requiredKeys: ["email"] },
  );
  let count = 0;
  await fc.assert(
    fc.asyncProperty(claims, async (said) => {
      count += 1;
      await signIn(`mallory-${count}`, said);
      expect(await rows("select 1 from sessions where person_id = $1", [personId])).toEqual([]);
      expect(await rows("select 1 from accounts where person_id = $1", [personId])).toEqual([]);
    }),
    { numRuns: 12 },
  );
});
