import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { inTransaction } from "../../src/db/database.ts";
import { createUnit } from "../../src/directory/units.ts";
import { placeByCode } from "../../src/directory/waiting-for-units.ts";
import { linkAccount } from "../../src/sync/accounts.ts";
import { put, world, type World } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { group, person, syncWorld, testConnection, testKeyRing, UNGUARDED } from "../helpers/sync.ts";
import { whileTimeLasts } from "../helpers/while-time-lasts.ts";

let db: TestDatabase;
const ctx = testContext();
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

/** In the order in which they were first seen: the first has the word. */
const ACCOUNTS = ["ada", "ada-admin"];
const account = fc.constantFrom(...ACCOUNTS);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const said = fc.record({
  title: maybe(fc.constantFrom("A", "B")),
  department: maybe(fc.constantFrom("Lab", "Law")),
  manager: maybe(fc.constantFrom("uid=bob", "uid=cyd")),
  units: maybe(fc.subarray(["X", "Y", "Z"])),
  active: maybe(fc.boolean()),
});
const event = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("put" as const), account, said }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("remove" as const), account }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("bring unit" as const) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("group" as const), members: fc.subarray(ACCOUNTS) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("run" as const) }) },
);
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never;
type Said = typeof said extends fc.Arbitrary<infer S> ? S : never;

const record = (uid: string, says: Partial<Record<keyof Said, string | boolean | readonly string[]>>) => {
  const attributes = Object.fromEntries(Object.entries(says).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
  return person(uid, { number: "1", ...attributes });
};

async function happen(source: World, each: Exclude<Event, { type: "run" }>): Promise<void> {
  if (each.type === "put") put(source, record(each.account, each.said));
  else if (each.type === "remove") source.records.delete(`user/id-${each.account}`);
  else if (each.type === "group")
    put(
      source,
      group(
        "staff",
        each.members.map((uid) => `uid=${uid}`),
      ),
    );
  else {
    const { rows } = await db.pool.query("select from units where code = 'Z'");
    // As the API does: whoever has waited for it comes into it.
    if (rows.length === 0)
      await inTransaction(db, ctx, async (work) => void (await placeByCode(work, [await createUnit(work, { name: "Z", code: "Z" })])));
  }
}

async function expected(source: World) {
  const there = ACCOUNTS.flatMap((uid) => source.records.get(`user/id-${uid}`) ?? []);
  if (there.length === 0) return { state: "deactivated", units: [], staff: false };
  const says = (key: string) => there.map(({ attributes }) => attributes[key]).find((value) => value !== undefined);
  const codes = new Set((await db.pool.query<{ code: string }>("select code::text as code from units")).rows.map(({ code }) => code));
  const units = new Set(there.flatMap(({ attributes }) => (attributes["units"] as string[] | undefined) ?? []));
  const staff = source.records.get("group/id-staff")?.members;
  return {
    name: there[0]?.attributes["uid"],
    title: says("title") ?? null,
    department: says("department") ?? null,
    manager: says("manager")?.toString().replace("uid=", "") ?? null,
    state: says("active") === false ? "suspended" : "active",
    units: [...units].filter((code) => codes.has(code)).sort(),
    staff: staff !== undefined && "set" in staff && there.some(({ reference }) => staff.set.includes(reference ?? "")),
  };
}

async function actual(personId: string) {
  const { rows } = await db.pool.query<Record<string, unknown>>(
    `select p.user_name::text as name, p.attributes->>'title' as title, p.attributes->'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'->>'department' as department,
        m.user_name::text as manager, p.state,
        array(select u.code::text from person_units pu join units u on u.id = pu.unit_id where pu.person_id = p.id and pu.recorded_to is null and pu.valid_to is null order by 1) as units,
        exists (select from memberships ms where ms.person_id = p.id and ms.recorded_to is null and ms.valid_to is null) as staff
      from people p left join people m on m.id = p.manager_id where p.id = $1`,
    [personId],
  );
  const [row] = rows;
  return row?.["state"] === "deactivated" ? { state: "deactivated", units: row["units"], staff: row["staff"] } : row;
}

async function begin(): Promise<{ source: World; personId: string }> {
  await db.pool.query(
    "truncate connections, accounts, people, groups, memberships, nestings, units, person_units, blocks, lifecycle_periods, pending_references, runs, plans, plan_items, plan_members, plan_batches, plan_outcomes, run_seen, run_problems, guard_counts, audit_events, person_keys restart identity cascade",
  );
  for (const code of ["X", "Y"]) await inTransaction(db, ctx, (work) => createUnit(work, { name: code, code }));
  await testConnection(db, ctx, { limits: UNGUARDED, mapping: { match: ["employeeNumber"] } });
  const source = world([person("bob"), person("cyd"), record("ada", {})]);
  await syncWorld(db, ctx, { world: source });
  put(source, record("ada-admin", {}));
  await syncWorld(db, ctx, { world: source });
  const { rows } = await db.pool.query<{ id: number; person: string }>(
    "select id, (select id from people where user_name = 'ada') as person from accounts where situation = 'disputed'",
  );
  const { id = 0, person: personId = "" } = rows[0] ?? {};
  await inTransaction(db, ctx, (work) => linkAccount(work, { keyRing: testKeyRing, accountId: id, person: personId }));
  return { source, personId };
}

test("invariant 3: of two accounts that change at every run each has its turn", async () => {
  const { source, personId } = await begin();
  for (const title of ["A", "B", "C"]) {
    put(source, record("ada", { title }));
    put(source, record("ada-admin", { title: `${title}2`, units: ["X", title === "C" ? "Y" : "X"] }));
    expect(await syncWorld(db, ctx, { world: source })).toMatchObject({ applied: { applied: 1, refused: 1 } });
  }
  const { rows } = await db.pool.query<{ title: string }>(
    "select attributes->>'title' as title from accounts where person_id = $1 order by id",
    [personId],
  );
  expect(rows.map(({ title }) => title)).toEqual(["C", "B2"]);
});

test("B9, invariant 3: two accounts of one connection say together who somebody is, whatever becomes of either", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 2, maxLength: 12 }),
      whileTimeLasts(async (events) => {
        const { source, personId } = await begin();
        for (const each of events) {
          if (each.type === "run") await syncWorld(db, ctx, { world: source });
          else await happen(source, each);
        }
        for (let round = 0; round < 3; round++) await syncWorld(db, ctx, { world: source });
        expect(await actual(personId)).toEqual(await expected(source));
      }),
    ),
    { numRuns: Number(process.env["CONVERGENCE_RUNS"] ?? 12) },
  );
}, 300_000);
