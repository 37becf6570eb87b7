import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { AttributeObject } from "../../connectors/contract.ts";
import { loadConnection } from "../../src/connections/open.ts";
import { inTransaction } from "../../src/db/database.ts";
import { syncAccount, type OneAccount } from "../../src/sync/one-account.ts";
import { withoutUnvouched, type Vouched } from "../../src/sync/vouched-addresses.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { world } from "../helpers/memory-source.ts";
import { person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeEach(async () => {
  db = await testDatabase();
  await testConnection(db, ctx);
  await syncWorld(db, ctx, { world: world([person("ada"), person("bob", { number: "7" })]) });
});
afterEach(() => db.drop());

const MAPPING = {
  user: {
    attributes: {
      userName: "account.login",
      "emails.work": "account.email",
      employeeNumber: "account.number",
      displayName: "account.name",
      title: "account.title",
      active: "account.enabled",
    },
  },
  match: ["emails", "employeeNumber", "userName"],
};

const sso = (policy = {}, mapping = {}) => testConnection(db, ctx, { name: "sso", mapping: { ...MAPPING, ...mapping }, ...policy });

const signIn = (nativeId: string, attributes: AttributeObject, allowed: Partial<OneAccount> = {}) =>
  inTransaction(db, ctx, async (work) =>
    syncAccount(work, {
      connection: await loadConnection(work.sql, testKeyRing, "sso"),
      keyRing: testKeyRing,
      nativeId,
      attributes,
      create: true,
      link: true,
      ...allowed,
    }),
  );
const idOf = async (userName: string): Promise<string> =>
  (await db.pool.query<{ id: string }>("select id from people where user_name = $1", [userName])).rows[0]?.id ?? "nobody";

describe("G4: one account's sign-in goes through the stages of a sync", () => {
  test("links by the match rules, is known by its native id from then on, and changes what it masters", async () => {
    await sso({ precedence: 1 });
    const ada = await idOf("ada");
    expect(await signIn("s-1", { login: "ada", email: "ADA@lab.test", title: "Engineer" })).toEqual({ outcome: "linked", personId: ada });
    const { rows } = await db.pool.query("select title from (select attributes->>'title' as title from people where id = $1) p", [ada]);
    expect(rows).toEqual([{ title: "Engineer" }]);
    expect(await signIn("s-1", { login: "ada", email: "ADA@lab.test", title: "Engineer" })).toEqual({
      outcome: "unchanged",
      personId: ada,
    });
    expect(await signIn("s-1", { login: "ada", email: "other@lab.test", title: "Lead" })).toEqual({ outcome: "updated", personId: ada });
    const { rows: events } = await db.pool.query(
      "select name, data->>'connection' as connection from audit_events where subject_id = $1 and data->>'connection' = 'sso' order by id",
      [ada],
    );
    expect(events.map(({ name }) => name)).toEqual(["person.linked", "person.updated"]);
  });

  test("makes a person only where that is allowed; who is not let in is kept for an administrator to settle", async () => {
    await sso();
    expect(await signIn("s-2", { login: "eve", email: "eve@new.test" }, { create: false })).toMatchObject({ outcome: "unmatched" });
    expect(await idOf("eve")).toBe("nobody");
    expect(await signIn("s-2", { login: "eve", email: "eve@new.test" })).toMatchObject({ outcome: "created", personId: await idOf("eve") });
    expect(await signIn("s-3", { login: "b", email: "bob@lab.test" }, { link: false })).toMatchObject({ outcome: "disputed" });
    expect(await signIn("s-4", { login: "x", email: "ada@lab.test", number: "7" })).toMatchObject({ outcome: "disputed" });
    const { rows } = await db.pool.query("select native_id, situation from accounts where native_id like 's-%' order by 1");
    expect(rows).toEqual([
      { native_id: "s-2", situation: "linked" },
      { native_id: "s-3", situation: "disputed" },
      { native_id: "s-4", situation: "disputed" },
    ]);
  });

  test("a second account of the same connection is never tied to a person who has one, and a taken login name is refused", async () => {
    await sso();
    await signIn("s-1", { login: "ada", email: "ada@lab.test" });
    expect(await signIn("s-9", { login: "ada2", email: "ada@lab.test" })).toMatchObject({ outcome: "disputed" });
    await db.pool.query("update connections set mapping = jsonb_set(mapping, '{match}', '[\"employeeNumber\"]') where name = 'sso'");
    expect(await signIn("s-8", { login: "bob", number: "99" })).toMatchObject({ outcome: "refused", personId: null });
  });

  test("what the account says of being active acts as in a sync, and the guards of syncs hold it", async () => {
    await sso({ limits: { disable: { count: 0, floor: 0 } } });
    await signIn("s-1", { login: "ada", email: "ada@lab.test", enabled: true });
    await expect(signIn("s-1", { login: "ada", email: "ada@lab.test", enabled: false })).rejects.toMatchObject({ code: "held" });
    const { rows } = await db.pool.query("select state from people where user_name = 'ada'");
    expect(rows).toEqual([{ state: "active" }]);
  });

  test("two first sign-ins of one account at once make one person", async () => {
    await sso();
    const outcomes = await Promise.all([1, 2, 3].map(() => signIn("s-5", { login: "fay", email: "fay@new.test" })));
    expect(new Set(outcomes.map(({ personId }) => personId))).toEqual(new Set([await idOf("fay")]));
  });
});

describe("G4: an address that the provider does not vouch for", () => {
  const victim = fc
    .constantFrom("ada@lab.test", "bob@lab.test")
    .chain((address) =>
      fc.tuple(fc.constantFrom("", " "), fc.mixedCase(fc.constant(address)), fc.constantFrom("", "\t")).map((parts) => parts.join("")),
    );
  const claims = fc.record(
    {
      login: fc.oneof(victim, fc.constant("mallory")),
      email: fc.oneof(victim, fc.constant("mallory@evil.test"), fc.array(victim, { maxLength: 2 })),
      number: fc.oneof(victim, fc.constant("mallory-1")),
      name: fc.oneof(victim, fc.string({ maxLength: 10 })),
    },
    { requiredKeys: ["login"] },
  );
  const vouched: fc.Arbitrary<Vouched> = fc.constantFrom<Vouched>(false, [], ["mallory@evil.test"]);

  test("never finds anybody, and never becomes anybody's, whatever it is called", async () => {
    await sso();
    const before = await db.pool.query("select id, email, attributes from people order by id");
    let count = 0;
    await fc.assert(
      fc.asyncProperty(claims, vouched, async (said, names) => {
        count += 1;
        const attributes = withoutUnvouched(said as AttributeObject, { vouched: names, domains: [] });
        const result = await signIn(`m-${count}`, attributes);
        const known = before.rows.map(({ id }) => id as string);
        expect(known).not.toContain(result.personId);
        await db.pool.query("delete from accounts where native_id like 'm-%'");
        await db.pool.query("delete from people where user_name = 'mallory'");
      }),
      { numRuns: 60 },
    );
    expect((await db.pool.query("select id, email, attributes from people order by id")).rows).toEqual(before.rows);
    const { rows } = await db.pool.query(
      "select 1 from people where attributes::text ilike '%@lab.test%' and user_name not in ('ada', 'bob')",
    );
    expect(rows).toEqual([]);
  });

  test("is left out at any depth; those of domains that are the provider's own stay, and no look-alikes of these", () => {
    const said = {
      sub: "1",
      email: "ada@lab.test",
      more: { upn: "Bob@Corp.Test", list: ["x@evil.corp.test", "plain"], note: "written to ada@lab.test" },
      others: [{ value: "eve@lab.test", type: "home" }],
    };
    expect(withoutUnvouched(said, { vouched: false, domains: ["corp.test"] })).toEqual({
      sub: "1",
      more: { upn: "Bob@Corp.Test", list: ["plain"], note: "written to ada@lab.test" },
      others: [{ type: "home" }],
    });
    expect(
      withoutUnvouched({ email: "a@corp.test@evil.test", upn: '"a b"@evil.test' }, { vouched: false, domains: ["corp.test"] }),
    ).toEqual({});
    expect(withoutUnvouched(said, { vouched: true, domains: [] })).toEqual(said);
  });
});
