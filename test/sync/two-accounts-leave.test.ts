import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { SourceRecord } from "../../connectors/contract.ts";
import { inTransaction } from "../../src/db/database.ts";
import { placeByCode } from "../../src/directory/waiting-for-units.ts";
import { createUnit } from "../../src/directory/units.ts";
import { linkAccount } from "../../src/sync/accounts.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { put, remove, world, type World } from "../helpers/memory-source.ts";
import { person, syncTold, syncWorld, testConnection, testKeyRing, UNGUARDED } from "../helpers/sync.ts";

let db: TestDatabase;
let source: World;
let personId: string;
const ctx = testContext();
const USER = {
  scope: "account.cn != 'robot'",
  attributes: {
    userName: "account.uid",
    displayName: "account.cn",
    title: "account.title",
    employeeNumber: "account.number",
    active: "account.active",
    units: "list(account.units)",
  },
};

beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

const ada = (says: Record<string, string | boolean | readonly string[]> = {}): SourceRecord =>
  person("ada", { number: "1", active: true, ...says });
const admin = (says: Record<string, string | boolean | readonly string[]> = {}): SourceRecord =>
  person("ada-admin", { number: "1", active: true, ...says });

beforeEach(async () => {
  await db.pool.query(
    "truncate connections, accounts, people, groups, memberships, nestings, units, person_units, blocks, lifecycle_periods, pending_references, runs, plans, plan_items, plan_members, plan_batches, plan_outcomes, run_seen, run_problems, guard_counts, audit_events, person_keys restart identity cascade",
  );
  await testConnection(db, ctx, { limits: UNGUARDED, mapping: { match: ["employeeNumber"], user: USER } });
  source = world([ada(), person("bob", { number: "2" })]);
  await syncWorld(db, ctx, { world: source });
  put(source, admin());
  await syncWorld(db, ctx, { world: source });
  const { rows } = await db.pool.query<{ id: number; person: string }>(
    "select id, (select id from people where user_name = 'ada') as person from accounts where situation = 'disputed'",
  );
  personId = rows[0]?.person ?? "";
  await inTransaction(db, ctx, (work) => linkAccount(work, { keyRing: testKeyRing, accountId: rows[0]?.id ?? 0, person: personId }));
});

async function state(): Promise<string | undefined> {
  const { rows } = await db.pool.query<{ state: string }>("select state from people where id = $1", [personId]);
  return rows[0]?.state;
}

test("invariant 3: both accounts fall out of the scope in one run", async () => {
  put(source, ada({ cn: "robot" }));
  put(source, admin({ cn: "robot" }));
  await syncWorld(db, ctx, { world: source });
  expect(await state()).toBe("deactivated");
});

test("invariant 3: the source tells in one run that both accounts are deleted", async () => {
  const told = (record: SourceRecord): SourceRecord => ({ ...record, attributes: {}, deleted: true });
  remove(source, "user", "id-ada");
  remove(source, "user", "id-ada-admin");
  await db.pool.query('update connections set cursor = \'{"user":{},"group":{},"unit":{}}\', last_full_at = $1', [ctx.now()]);
  await syncTold(db, ctx, { world: source, changes: [told(ada()), told(admin())] });
  expect(await state()).toBe("deactivated");
});

test("invariant 3: one account leaves the listing while the other falls out of the scope", async () => {
  remove(source, "user", "id-ada");
  put(source, admin({ cn: "robot" }));
  await syncWorld(db, ctx, { world: source });
  expect(await state()).toBe("deactivated");
});

test("invariant 3: both accounts are no longer active", async () => {
  put(source, ada({ active: false }));
  put(source, admin({ active: false }));
  await syncWorld(db, ctx, { world: source });
  expect(await state()).toBe("suspended");
});

test("invariant 3: whose word counts is no longer active while the other, which has waited longer, has another title", async () => {
  put(source, ada({ title: "A" }));
  await syncWorld(db, ctx, { world: source });
  put(source, ada({ title: "A", active: false }));
  put(source, admin({ title: "B" }));
  await syncWorld(db, ctx, { world: source });
  expect(await state()).toBe("suspended");
});

test("invariant 3: one account is gone and the other is no longer active", async () => {
  remove(source, "user", "id-ada");
  put(source, admin({ active: false }));
  await syncWorld(db, ctx, { world: source });
  expect(await state()).toBe("suspended");
});

test("invariant 3: both accounts are gone from a listing that many have left", async () => {
  for (let at = 0; at < 600; at++) put(source, person(`p${at}`));
  source.pageSize = 500;
  await syncWorld(db, ctx, { world: source });
  // The second account is of those that were stored last.
  await db.pool.query("update accounts set id = id + 100000 where native_id in ('id-ada-admin', 'id-p599')");
  for (const key of [...source.records.keys()]) if (key !== "user/id-bob") source.records.delete(key);
  await syncWorld(db, ctx, { world: source });
  expect(await state()).toBe("deactivated");
});

test("B7: whose login only the account that leaves would tell is not let go for it, and the run goes on", async () => {
  remove(source, "user", "id-ada");
  const { uid: _login, ...rest } = admin({ title: "B" }).attributes;
  put(source, { ...admin(), attributes: rest });
  put(source, person("cyd", { number: "3" }));
  for (let round = 0; round < 2; round++) expect(await syncWorld(db, ctx, { world: source })).toMatchObject({ state: "done" });
  expect(await state()).toBe("active");
  const { rows } = await db.pool.query("select user_name::text from people order by 1");
  expect(rows.map(({ user_name }) => user_name)).toEqual(["ada", "bob", "cyd"]);
});

test("B9: the unit that the account that stays names, and that is still to come, is waited for", async () => {
  put(source, admin({ units: ["Z"] }));
  await syncWorld(db, ctx, { world: source });
  remove(source, "user", "id-ada");
  await syncWorld(db, ctx, { world: source });
  await inTransaction(db, ctx, async (work) => placeByCode(work, [await createUnit(work, { name: "Z", code: "Z" })]));
  const { rows } = await db.pool.query(
    "select u.code::text from person_units p join units u on u.id = p.unit_id where p.person_id = $1 and p.recorded_to is null and p.valid_to is null",
    [personId],
  );
  expect(rows).toEqual([{ code: "Z" }]);
});
