import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { addConnection } from "../../src/connections/store.ts";
import { inTransaction } from "../../src/db/database.ts";
import { createUnit } from "../../src/directory/units.ts";
import { letGoConnection } from "../../src/sync/remove-connection.ts";
import { put, world, type World } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { person, syncWorld, testKeyRing, UNGUARDED, unit } from "../helpers/sync.ts";
import { whileTimeLasts } from "../helpers/while-time-lasts.ts";

let db: TestDatabase;
const ctx = testContext();
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

/** By precedence, at first: the first that says something masters it. */
const ORIGINS = ["hr", "cloud", "badge"] as const;
type Origin = (typeof ORIGINS)[number];
const NAMES = ["ada", "bob", "cyd"];
const ALL = ["zed", ...NAMES];

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const origin = fc.constantFrom(...ORIGINS);
const name = fc.constantFrom(...NAMES);
/** What a mapping takes from a record, which names two titles and two managers; a manager with a precedence of its own. */
const mapped = fc.record({
  title: maybe(fc.constantFrom("title", "nick")),
  manager: maybe(fc.constantFrom("manager", "boss")),
  managerPrecedence: maybe(fc.nat(3)),
  units: fc.boolean(),
});
const said = fc.record({
  title: maybe(fc.constantFrom("A", "B", "C")),
  nick: maybe(fc.constantFrom("N", "M")),
  manager: maybe(name.map((each) => `uid=${each}`)),
  boss: maybe(name.map((each) => `uid=${each}`)),
  units: maybe(fc.subarray(["X", "Y"])),
  active: maybe(fc.boolean()),
});
const event = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("put" as const), origin, name, said }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("remove" as const), origin, name }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("make anew" as const), origin, name }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("bring unit" as const), origin }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("precedence" as const), origin, precedence: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("mapping" as const), origin, mapped }) },
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant("run" as const), origins: fc.uniqueArray(origin, { minLength: 1, maxLength: 3 }) }),
  },
);
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never;
type Defined = typeof mapped extends fc.Arbitrary<infer M> ? M & { precedence: number } : never;
interface Organisation {
  worlds: Record<Origin, World>;
  defined: Record<Origin, Defined>;
}

async function define(which: Origin, { precedence, title, manager, managerPrecedence, units }: Defined): Promise<void> {
  const attributes = {
    ...{ userName: "account.uid", employeeNumber: "account.number", active: "account.active" },
    ...(title ? { title: `account.${title}` } : {}),
    ...(manager ? { manager: { value: `account.${manager}`, precedence: managerPrecedence ?? precedence } } : {}),
    ...(units ? { units: "account.units" } : {}),
  };
  const mapping = {
    user: { attributes },
    unit: { attributes: { name: "account.ou", code: "account.ou" } },
    match: ["employeeNumber"],
  };
  const definition = { name: which, connector: "scim-inbound", precedence, limits: UNGUARDED, mapping };
  await inTransaction(db, ctx, (work) => addConnection(work, { keyRing: testKeyRing, replace: true, definition }));
}

async function begin(): Promise<Organisation> {
  await db.pool.query(
    "truncate connections, accounts, people, groups, memberships, nestings, units, person_units, blocks, lifecycle_periods, pending_references, runs, plans, plan_items, plan_members, plan_batches, plan_outcomes, run_seen, run_problems, guard_counts, audit_events, person_keys restart identity cascade",
  );
  await inTransaction(db, ctx, (work) => createUnit(work, { name: "X", code: "X" }));
  const base: Defined = { precedence: 0, title: "title", manager: "manager", units: true, managerPrecedence: undefined };
  const defined = { hr: base, cloud: { ...base, precedence: 1 }, badge: { ...base, precedence: 2 } };
  for (const each of ORIGINS) await define(each, defined[each]);
  // An empty answer would rightly take nobody away.
  const zed = () => world([person("zed", { number: "zed", title: "Z", nick: "Z" })]);
  return { worlds: { hr: zed(), cloud: zed(), badge: zed() }, defined };
}

const recordOf = ({ records }: World, who: string) => [...records.values()].find(({ attributes }) => attributes["uid"] === who);

/** The unit that people name by its code, too, comes from one of them alone. */
function bringUnit({ worlds }: Organisation, by: Origin): void {
  if (!ORIGINS.some((each) => worlds[each].records.has("unit/id-Y"))) put(worlds[by], unit("Y"));
}

async function happen(organisation: Organisation, each: Exclude<Event, { type: "run" }>): Promise<void> {
  const { worlds, defined } = organisation;
  if (each.type === "precedence" || each.type === "mapping") {
    const changed = each.type === "mapping" ? each.mapped : { precedence: each.precedence };
    defined[each.origin] = { ...defined[each.origin], ...changed };
    return define(each.origin, defined[each.origin]);
  }
  if (each.type === "bring unit") return bringUnit(organisation, each.origin);
  const of = worlds[each.origin];
  const before = recordOf(of, each.name);
  if (each.type === "put") {
    const attributes = Object.fromEntries(Object.entries(each.said).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
    const record = person(each.name, { number: each.name, ...attributes });
    put(of, { ...record, nativeId: before?.nativeId ?? record.nativeId });
  } else if (before) {
    of.records.delete(`user/${before.nativeId}`);
    if (each.type === "make anew") put(of, { ...before, nativeId: `${before.nativeId}+` });
  }
}

/** What people must be, from the sources alone. Whose manager is not there has none, or still whom that name meant. */
function expected({ worlds, defined }: Organisation, origins: readonly Origin[]) {
  const ranked = (rank: (of: Defined) => number) =>
    [...origins].sort((a, b) => rank(defined[a]) - rank(defined[b]) || ORIGINS.indexOf(a) - ORIGINS.indexOf(b));
  return ALL.flatMap((who) => {
    const saysOf = (which: Origin, key: string | undefined) => (key ? recordOf(worlds[which], who)?.attributes[key] : undefined);
    if (!origins.some((which) => recordOf(worlds[which], who))) return [];
    const byPrecedence = ranked(({ precedence }) => precedence);
    const titles = byPrecedence.flatMap((which) => saysOf(which, defined[which].title) ?? []);
    const active = byPrecedence.map((which) => saysOf(which, "active")).find((each) => typeof each === "boolean");
    const leading = ranked(({ precedence, managerPrecedence }) => managerPrecedence ?? precedence).find((which) =>
      saysOf(which, defined[which].manager),
    );
    const manager = leading ? String(saysOf(leading, defined[leading].manager)).replace("uid=", "") : null;
    const away = leading !== undefined && !recordOf(worlds[leading], manager ?? "");
    const units = new Set(origins.flatMap((which) => (defined[which].units ? ((saysOf(which, "units") as string[]) ?? []) : [])));
    return [
      { name: who, title: titles[0] ?? null, state: active === false ? "suspended" : "active", manager, away, units: [...units].sort() },
    ];
  });
}

/** Whoever is there, and not by all their origins gone. */
async function actual(wanted: ReturnType<typeof expected>) {
  const { rows } = await db.pool.query<{
    name: string;
    title: string | null;
    state: string;
    listed: boolean;
    manager: string | null;
    units: string[];
  }>(
    `select p.user_name::text as name, p.attributes->>'title' as title, p.state, m.user_name::text as manager,
        array(select distinct u.code::text from person_units pu join units u on u.id = pu.unit_id where pu.person_id = p.id and pu.recorded_to is null and pu.valid_to is null order by 1) as units,
        exists (select from accounts a where a.person_id = p.id and a.gone_at is null and a.situation = 'linked') as listed
      from people p left join people m on m.id = p.manager_id`,
  );
  expect(rows.filter(({ listed, state }) => !listed && state !== "deactivated")).toEqual([]);
  return rows
    .filter(({ listed }) => listed)
    .map(({ name: who, title, state, units, ...row }) => {
      const { away = false, manager = null } = wanted.find((each) => each.name === who) ?? {};
      return { name: who, title, state, manager: away ? (row.manager ?? manager) : row.manager, away, units };
    })
    .sort((left, right) => ALL.indexOf(left.name) - ALL.indexOf(right.name));
}

test("M3, B9: any history of several origins, read in any order and side by side, precedence and mappings changed meanwhile, ends as they say by precedence", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 4, maxLength: 18 }),
      origin,
      whileTimeLasts(async (events, removed) => {
        const organisation = await begin();
        const sync = (connection: Origin) => syncWorld(db, ctx, { connection, world: organisation.worlds[connection] });
        for (const each of events) {
          if (each.type === "run") await Promise.all(each.origins.map(sync));
          else await happen(organisation, each);
        }
        bringUnit(organisation, removed === "hr" ? "cloud" : "hr");
        // Whoever was made anew waits until the account of before is known to be gone.
        for (const each of [...ORIGINS, ...ORIGINS, ...ORIGINS]) await sync(each);
        const all = expected(organisation, ORIGINS);
        expect(await actual(all)).toEqual(all);

        const rest = ORIGINS.filter((each) => each !== removed);
        await inTransaction(db, ctx, (work) => letGoConnection(work, { keyRing: testKeyRing, name: removed }));
        const left = expected(organisation, rest);
        expect(await actual(left)).toEqual(left);
        for (const each of rest) expect(await sync(each)).toMatchObject({ plan: {} });
      }),
    ),
    { numRuns: Number(process.env["CONVERGENCE_RUNS"] ?? 8) },
  );
}, 300_000);
