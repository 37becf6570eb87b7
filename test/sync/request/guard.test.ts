import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { ensureScimConnection } from "../../../src/connections/builtin.ts";
import { limitsSchema } from "../../../src/connections/definition.ts";
import { loadConnection, type LoadedConnection } from "../../../src/connections/open.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { judge } from "../../../src/sync/guard.ts";
import { enoughLinked, refuseGuarded } from "../../../src/sync/request/guard.ts";
import { testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { testKeyRing } from "../../helpers/sync.ts";

let db: TestDatabase;
let connection: LoadedConnection;
const ctx = testContext();
beforeAll(async () => {
  db = await testDatabase();
  await inTransaction(db, ctx, ensureScimConnection);
  connection = await loadConnection(db.pool, testKeyRing, "scim");
});
afterAll(() => db.drop());

test("B2: as many accounts as the guard asks to be counted decide as all of them would", () => {
  const share = fc.double({ min: 0.01, max: 1, noNaN: true });
  const single = fc.record({ count: fc.nat(5), share, floor: fc.nat(3) });
  fc.assert(
    fc.property(
      fc.record({ disable: single, delete: single, window: fc.record({ count: fc.nat(60), share, floor: fc.nat(30) }) }),
      fc.constantFrom("disable" as const, "delete" as const),
      fc.nat(60),
      fc.nat(10_000),
      (given, action, recent, linked) => {
        const limits = limitsSchema.parse(given);
        const tripped = (counted: number) =>
          judge(
            {
              linked: counted,
              recent,
              disables: action === "disable" ? 1 : 0,
              deletes: action === "delete" ? 1 : 0,
              reads: [],
              scopeChanged: false,
            },
            limits,
          ).map(({ guard }) => guard);
        const enough = enoughLinked({ ctx, connection: { ...connection, limits }, action, recent });
        expect(tripped(Math.min(linked, enough))).toEqual(tripped(linked));
      },
    ),
    { numRuns: 5000 },
  );
});

test("B2: counts are folded as they grow, and none is forgotten within the window", async () => {
  await db.pool.query(
    `insert into guard_counts (connection_id, at, action, count)
     select $1, now() - make_interval(secs => n * 20), case n % 2 when 0 then 'disable' else 'delete' end, 1 from generate_series(1, 2000) n`,
    [connection.id],
  );
  const wide = { ...connection, limits: limitsSchema.parse({ window: { count: 100_000, floor: 100_000 } }) };
  await refuseGuarded(db.pool, { ctx, connection: wide, action: "disable" });
  const { rows } = await db.pool.query(
    "select count(*) as rows, sum(count)::int as total, max(at) > now() - interval '1 minute' as recent from guard_counts",
  );
  expect(rows[0]).toMatchObject({ total: 2000, recent: true });
  expect(rows[0].rows).toBeLessThan(250);
  const narrow = { ...connection, limits: limitsSchema.parse({ window: { count: 2000, floor: 2000 } }) };
  await expect(refuseGuarded(db.pool, { ctx, connection: narrow, action: "disable" })).rejects.toMatchObject({
    code: "held",
    field: "window",
  });
});

async function addAccounts(name: string, count: number): Promise<void> {
  await db.pool.query(
    `with p as (insert into people (id, user_name, attributes, created_at, modified_at)
       select gen_random_uuid(), $2 || n, '{}', now(), now() from generate_series(1, $3) n returning id, user_name)
     insert into accounts (connection_id, kind, native_id, person_id, attributes, hash, mapping_version, situation, first_seen_at, changed_at)
     select $1, 'user', user_name, id, '{}', '\\x00', 1, 'linked', now(), now() from p`,
    [connection.id, name, count],
  );
}

test("B2: accounts that were counted lately are not counted again while they are plenty, and are when they are old or few", async () => {
  let now = new Date("2026-11-01T12:00:00Z");
  const clocked = testContext({ now: () => now });
  let counted = 0;
  const sql = {
    query: (query: { name?: string }) => {
      if (query.name === "request_guard_least") counted += 1;
      return db.pool.query(query as never);
    },
  } as unknown as typeof db.pool;
  await db.pool.query("delete from guard_counts");
  await addAccounts("counted", 100);
  const single = { count: 1000, share: 0.1, floor: 0 };
  const limits = limitsSchema.parse({ disable: single, delete: single, window: { count: 100_000, share: 0.1, floor: 100_000 } });
  const options = { ctx: clocked, connection: { ...connection, limits }, action: "disable" as const, lately: new Map() };
  for (let asked = 0; asked < 3; asked += 1) await refuseGuarded(sql, options);
  expect(counted).toBe(1);
  now = new Date(now.getTime() + 6000);
  await refuseGuarded(sql, options);
  expect(counted).toBe(2);
  // One in nine is more than a tenth: few are counted each time.
  await db.pool.query("delete from accounts where native_id like 'counted%' and native_id not like 'counted_'");
  now = new Date(now.getTime() + 6000);
  await expect(refuseGuarded(sql, options)).rejects.toMatchObject({ code: "held" });
  await db.pool.query("delete from accounts where native_id like 'counted%'");
  await expect(refuseGuarded(sql, options)).rejects.toMatchObject({ code: "held" });
});

test("B2: those who left are not counted anew for a moment while there is room for as many again, and are counted when there is not", async () => {
  let now = new Date("2026-11-02T12:00:00Z");
  const clocked = testContext({ now: () => now });
  let counted = 0;
  const sql = {
    query: (query: { name?: string }) => {
      if (query.name === "request_guard_recent") counted += 1;
      return db.pool.query(query as never);
    },
  } as unknown as typeof db.pool;
  await db.pool.query("delete from guard_counts");
  const left = (count: number) =>
    db.pool.query("insert into guard_counts (connection_id, at, action, count) values ($1, $2, 'disable', $3)", [
      connection.id,
      now,
      count,
    ]);
  const limits = limitsSchema.parse({ window: { count: 1000, floor: 1000 } });
  const options = { ctx: clocked, connection: { ...connection, limits }, action: "disable" as const, lately: new Map() };
  await left(400);
  for (let asked = 0; asked < 10; asked += 1) await refuseGuarded(sql, options);
  expect(counted).toBe(1);
  now = new Date(now.getTime() + 1000);
  await refuseGuarded(sql, options);
  expect(counted).toBe(2);
  // Those who are let through count at once: 401 and 49 of them leave room for as many again and a hundred, not for more.
  for (let asked = 0; asked < 100; asked += 1) await refuseGuarded(sql, options);
  expect(counted).toBeGreaterThan(2);
  now = new Date(now.getTime() + 1000);
  await left(600);
  await expect(refuseGuarded(sql, options)).rejects.toMatchObject({ code: "held", field: "window" });
});

test("B2: where a share of the accounts is the limit, too, those who left are not counted for each while there is room", async () => {
  const now = new Date("2026-11-03T12:00:00Z");
  const counted = { recent: 0, linked: 0 };
  const sql = {
    query: (query: { name?: string }) => {
      if (query.name === "request_guard_recent") counted.recent += 1;
      if (query.name === "request_guard_least") counted.linked += 1;
      return db.pool.query(query as never);
    },
  } as unknown as typeof db.pool;
  await db.pool.query("delete from guard_counts");
  await addAccounts("shared", 1000);
  const half = { count: 1000, share: 0.5, floor: 0 };
  const limits = limitsSchema.parse({ disable: half, delete: half, window: half });
  const options = {
    ctx: testContext({ now: () => now }),
    connection: { ...connection, limits },
    action: "disable" as const,
    lately: new Map(),
  };
  for (let asked = 0; asked < 20; asked += 1) await refuseGuarded(sql, options);
  expect(counted).toEqual({ recent: 1, linked: 1 });
  await db.pool.query("delete from accounts where native_id like 'shared%'");
});
