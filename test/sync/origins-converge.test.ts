import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { inTransaction } from "../../src/db/database.ts";
import { letGoConnection } from "../../src/sync/remove-connection.ts";
import { put, remove, world, type World } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";
import { whileTimeLasts } from "../helpers/while-time-lasts.ts";

let db: TestDatabase;
const ctx = testContext();
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

/** By precedence: the first that says something masters it. */
const ORIGINS = ["hr", "cloud", "badge"] as const;
type Origin = (typeof ORIGINS)[number];
const NAMES = ["ada", "bob", "cyd"];
const wide = { count: 10_000, share: 1, floor: 10_000 };
const unguarded = { disable: wide, delete: wide, window: wide, shrink: 1, failures: 100 };

const origin = fc.constantFrom(...ORIGINS);
const event = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("put" as const),
      origin,
      name: fc.constantFrom(...NAMES),
      title: fc.option(fc.constantFrom("A", "B", "C"), { nil: undefined }),
      active: fc.option(fc.boolean(), { nil: undefined }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("remove" as const), origin, name: fc.constantFrom(...NAMES) }) },
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constant("run" as const), origins: fc.uniqueArray(origin, { minLength: 1, maxLength: 3 }) }),
  },
);
type Worlds = Record<Origin, World>;

/** What people must be, from the sources alone. */
function expected(worlds: Worlds, origins: readonly Origin[]) {
  return ["zed", ...NAMES].flatMap((name) => {
    const words = origins.flatMap((each) => {
      const record = worlds[each].records.get(`user/id-${name}`);
      return record ? [record.attributes] : [];
    });
    if (words.length === 0) return [];
    const active = words.find((word) => typeof word["active"] === "boolean")?.["active"] !== false;
    const title = words.find((word) => word["title"] !== undefined)?.["title"] ?? null;
    return [{ name, title, state: active ? "active" : "suspended" }];
  });
}

/** Whoever is there, and not by all their origins gone. */
async function actual() {
  const { rows } = await db.pool.query<{ name: string; title: string | null; state: string; listed: boolean }>(
    `select p.user_name::text as name, p.attributes->>'title' as title, p.state,
        exists (select from accounts a where a.person_id = p.id and a.gone_at is null and a.situation = 'linked') as listed from people p`,
  );
  expect(rows.filter(({ listed, state }) => !listed && state !== "deactivated")).toEqual([]);
  const order = ["zed", ...NAMES];
  return rows
    .filter(({ listed }) => listed)
    .map(({ name, title, state }) => ({ name, title, state }))
    .sort((left, right) => order.indexOf(left.name) - order.indexOf(right.name));
}

test("M3, B9: any history of several origins, read in any order and side by side, ends as they say by precedence", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 4, maxLength: 14 }),
      origin,
      whileTimeLasts(async (events, removed) => {
        await db.pool.query(
          "truncate connections, accounts, people, groups, memberships, nestings, blocks, lifecycle_periods, pending_references, runs, plans, plan_items, plan_members, plan_batches, plan_outcomes, run_seen, run_problems, guard_counts, audit_events, person_keys restart identity cascade",
        );
        for (const [index, name] of ORIGINS.entries())
          await testConnection(db, ctx, { name, precedence: index, limits: unguarded, mapping: { match: ["employeeNumber"] } });
        // An empty answer would rightly take nobody away.
        const zed = () => world([person("zed", { number: "zed", title: "Z" })]);
        const worlds: Worlds = { hr: zed(), cloud: zed(), badge: zed() };
        const sync = (connection: Origin) => syncWorld(db, ctx, { connection, world: worlds[connection] });
        for (const each of events) {
          if (each.type === "run") await Promise.all(each.origins.map(sync));
          else if (each.type === "remove") remove(worlds[each.origin], "user", `id-${each.name}`);
          else {
            const { name, title, active } = each;
            put(
              worlds[each.origin],
              person(name, { number: name, ...(title === undefined ? {} : { title }), ...(active === undefined ? {} : { active }) }),
            );
          }
        }
        for (const each of [...ORIGINS, ...ORIGINS]) await sync(each);
        expect(await actual()).toEqual(expected(worlds, ORIGINS));

        const rest = ORIGINS.filter((each) => each !== removed);
        await inTransaction(db, ctx, (work) => letGoConnection(work, { keyRing: testKeyRing, name: removed }));
        expect(await actual()).toEqual(expected(worlds, rest));
        for (const each of rest) expect(await sync(each)).toMatchObject({ plan: {} });
      }),
    ),
    { numRuns: Number(process.env["CONVERGENCE_RUNS"] ?? 8) },
  );
}, 300_000);
