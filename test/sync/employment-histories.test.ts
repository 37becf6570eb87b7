import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { inTransaction } from "../../src/db/database.ts";
import { settleEmployment } from "../../src/directory/employment.ts";
import { put, world, type World } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { person, syncWorld, testConnection, UNGUARDED } from "../helpers/sync.ts";
import { whileTimeLasts } from "../helpers/while-time-lasts.ts";

let db: TestDatabase;
let now = new Date(0);
const ctx = testContext({ now: () => now });
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

const HOUR = 3_600_000;
/** Zones without other times in summer: what is expected is counted without any of the product's own reckoning. */
const OFFSETS = { UTC: 0, "Asia/Tokyo": 9, "America/Phoenix": -7, "Pacific/Kiritimati": 14 } as const;
type Zone = keyof typeof OFFSETS;
const ORIGINS = ["hr", "badge"] as const;
type Origin = (typeof ORIGINS)[number];
/** By precedence. */
const POLICIES = {
  hr: { timeZone: "Asia/Tokyo" as Zone, endsAt: "17:30", readyDaysBefore: 2 },
  badge: { timeZone: "America/Phoenix" as Zone, endsAt: "24:00", readyDaysBefore: 0 },
};
const days = ["2028-02-26", "2028-02-28", "2028-02-29", "2028-03-01", "2028-03-03"];
const date = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...days) },
  { weight: 1, arbitrary: fc.constantFrom(...days).map((day) => `${day}T12:00`) },
  { weight: 1, arbitrary: fc.constantFrom(...days).map((day) => `${day}T23:30:00-05:00`) },
  { weight: 1, arbitrary: fc.constantFrom("9999-12-31", "0001-01-01") },
);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const said = fc.record({
  start: maybe(date),
  end: maybe(date),
  zone: fc.option(fc.constantFrom<Zone>("UTC", "Pacific/Kiritimati"), { nil: undefined, freq: 1 }),
});
type Said = typeof said extends fc.Arbitrary<infer S> ? S : never;
const event = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant("say" as const), origin: fc.constantFrom<Origin>(...ORIGINS), said }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("hours pass" as const), hours: fc.constantFrom(1, 7, 24, 60) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("run" as const), origin: fc.constantFrom<Origin>(...ORIGINS) }) },
);

function instant(text: string, zone: Zone, dayTime: number): number {
  const [day = "", time] = text.split("T");
  if (time?.includes("-05:00")) return Date.parse(text);
  const local = Date.parse(`${day}T00:00:00Z`) + (time === undefined ? dayTime : 12 * HOUR);
  return local - OFFSETS[zone] * HOUR;
}

/** When somebody is employed, and what they are now, from what both say. */
function expected(says: Partial<Record<Origin, Said>>) {
  const of = (key: "start" | "end" | "zone") => ORIGINS.find((origin) => says[origin]?.[key]);
  const zoned = of("zone");
  const zone = zoned && says[zoned]?.zone;
  const [starts, ends] = [of("start"), of("end")];
  const start = starts && says[starts]?.start;
  const end = ends && says[ends]?.end;
  let [from, begins, to] = [-Infinity, -Infinity, Infinity];
  if (starts && start) {
    const policy = POLICIES[starts];
    const offset = OFFSETS[zone ?? policy.timeZone] * HOUR;
    begins = instant(start, zone ?? policy.timeZone, 0);
    const day = Math.floor((begins + offset) / (24 * HOUR)) * 24 * HOUR;
    from = policy.readyDaysBefore === 0 ? begins : day - policy.readyDaysBefore * 24 * HOUR - offset;
  }
  if (ends && end && !end.startsWith("9999-12-31")) {
    const policy = POLICIES[ends];
    const [hours = 0, minutes = 0] = policy.endsAt.split(":").map(Number);
    to = instant(end, zone ?? policy.timeZone, (hours + minutes / 60) * HOUR);
  }
  const at = now.getTime();
  const state = to <= begins || at >= to ? "deactivated" : at < from ? "suspended" : "active";
  return { state, bounds: to <= begins ? [] : [from, to].filter((bound) => bound > at && bound < at + 3000 * 24 * HOUR) };
}

test("P5, invariant 6: whoever has dates joins, leaves and comes back exactly when they say so, whichever origin gives them and however they are moved", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 2, maxLength: 10 }),
      whileTimeLasts(async (events) => {
        await db.pool.query(
          "truncate connections, accounts, people, groups, memberships, nestings, blocks, employment_absences, lifecycle_periods, pending_references, runs, plans, plan_items, plan_members, plan_batches, plan_outcomes, run_seen, run_problems, guard_counts, audit_events, person_keys restart identity cascade",
        );
        now = new Date("2028-02-26T00:00:00Z");
        const attributes = {
          userName: "account.uid",
          employeeNumber: "account.number",
          "employment.startDate": "account.start",
          "employment.endDate": "account.end",
          "employment.timeZone": "account.zone",
        };
        for (const [index, name] of ORIGINS.entries()) {
          const mapping = { user: { attributes }, match: ["employeeNumber"], employment: POLICIES[name] };
          await testConnection(db, ctx, { name, precedence: index + 1, limits: UNGUARDED, mapping });
        }
        const record = (says: Partial<Said>) =>
          person("ada", {
            number: "1",
            ...Object.fromEntries(Object.entries(says).flatMap(([key, value]) => (value ? [[key, value]] : []))),
          });
        const worlds: Record<Origin, World> = { hr: world([record({})]), badge: world([record({})]) };
        const says: Partial<Record<Origin, Said>> = {};
        const run = (connection: Origin) => syncWorld(db, ctx, { connection, world: worlds[connection] });
        const settled = async () => {
          await inTransaction(db, ctx, (work) => settleEmployment(work));
          return (await db.pool.query<{ state: string }>("select state from people where user_name = 'ada'")).rows[0]?.state;
        };
        for (const origin of ORIGINS) await run(origin);
        for (const each of events) {
          if (each.type === "say") {
            says[each.origin] = each.said;
            put(worlds[each.origin], record(each.said));
          } else if (each.type === "run") await run(each.origin);
          else {
            now = new Date(now.getTime() + each.hours * HOUR);
            await settled();
          }
        }
        for (const origin of ORIGINS) await run(origin);
        expect(await settled()).toBe(expected(says).state);
        for (const bound of expected(says).bounds)
          for (const at of [bound - 1, bound]) {
            now = new Date(at);
            expect([now.toISOString(), await settled()]).toEqual([now.toISOString(), expected(says).state]);
          }
        for (const origin of ORIGINS) expect((await run(origin)).plan).toEqual({});
      }),
    ),
    { numRuns: Number(process.env["CONVERGENCE_RUNS"] ?? 12) },
  );
}, 300_000);
