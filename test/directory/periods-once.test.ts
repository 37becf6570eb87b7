import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { closePeriods } from "../../src/directory/periods.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";

/** What a table that would hold two overlapping periods answers: at the index, or where overlaps are looked for. */
const REFUSALS = ["23505", "23P01"];
const PEOPLE = ["00000000-0000-4000-8000-0000000000b1", "00000000-0000-4000-8000-0000000000b2"];
const OWNERS = ["origin", "admin"];
const TABLES = ["blocks", "lifecycle_periods"] as const;
type Table = (typeof TABLES)[number] | "blocks_before" | "lifecycle_periods_before";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
  // As they were kept apart before: by exclusion constraints that ask nobody what is likely.
  await db.pool.query(`create table blocks_before (like blocks including defaults including generated);
    alter table blocks_before add exclude using gist (person_id with =, owner with =, (coalesce(connection_id, 0)) with =, valid with &&) where (recorded_to is null);
    create table lifecycle_periods_before (like lifecycle_periods including defaults including generated);
    alter table lifecycle_periods_before add exclude using gist (person_id with =, valid with &&) where (recorded_to is null and valid_to is not null);
    create unique index on lifecycle_periods_before (person_id) where recorded_to is null and valid_to is null`);
});
// Not truncated: that makes new files, a hundred times.
const empty = () =>
  db.pool.query("delete from blocks; delete from blocks_before; delete from lifecycle_periods; delete from lifecycle_periods_before");
beforeEach(empty);
afterAll(() => db.drop());

/** The n-th minute of a day. */
const minute = (n: number) => new Date(Date.UTC(2030, 0, 1, 0, n));

interface Period {
  person: number;
  /** Of a block alone. */
  owner: number;
  connection: number | null;
  from: number;
  to: number | null;
}

/** Whether the table takes these periods, in one statement; if not, none of them. */
async function takes(table: Table, periods: readonly Period[]): Promise<boolean> {
  const [columns, given] = table.startsWith("blocks")
    ? ["owner, connection_id, effect", "owner, connection_id, 'suspended'"]
    : ["state", "'active'"];
  try {
    await db.pool.query(
      `insert into ${table} (person_id, ${columns}, reason, valid_from, valid_to, recorded_from)
       select person_id, ${given}, '', began, ended, began
       from unnest($1::uuid[], $2::text[], $3::int[], $4::timestamptz[], $5::timestamptz[]) as given (person_id, owner, connection_id, began, ended)`,
      [
        periods.map(({ person }) => PEOPLE[person]),
        periods.map(({ owner }) => OWNERS[owner]),
        periods.map(({ connection }) => connection),
        periods.map(({ from }) => minute(from)),
        periods.map(({ to }) => to && minute(to)),
      ],
    );
    return true;
  } catch (error) {
    expect(REFUSALS).toContain((error as { code?: unknown }).code);
    return false;
  }
}

const supersedeFirst = (table: Table) =>
  db.pool.query(`update ${table} set recorded_to = recorded_from where recorded_to is null and (person_id, valid_from) = (
    select person_id, min(valid_from) from ${table} where recorded_to is null group by person_id order by person_id limit 1)`);

const period = fc
  .record({
    person: fc.nat({ max: 1 }),
    owner: fc.nat({ max: 1 }),
    connection: fc.option(fc.constantFrom(1, 2)),
    from: fc.nat({ max: 6 }),
    lasts: fc.option(fc.integer({ min: 1, max: 4 })),
  })
  .map(({ lasts, from, ...rest }): Period => ({ ...rest, from, to: lasts === null ? null : from + lasts }));
const step = fc.oneof(fc.array(period, { minLength: 1, maxLength: 3 }), fc.constant("supersede" as const));

describe.each(TABLES)("%s", (table) => {
  test("refuse what an exclusion constraint refuses, and nothing else", async () => {
    await fc.assert(
      fc
        .asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
          for (const one of steps) {
            if (one === "supersede") for (const each of [table, `${table}_before`] as const) await supersedeFirst(each);
            else expect(await takes(table, one)).toBe(await takes(`${table}_before`, one));
          }
        })
        .afterEach(async () => void (await empty())),
      { numRuns: 60 },
    );
  });

  test("refuse a period that is made longer than what follows allows", async () => {
    const [first, next] = [
      { person: 0, owner: 0, connection: null, from: 0, to: 2 },
      { person: 0, owner: 0, connection: null, from: 3, to: 5 },
    ];
    expect(await takes(table, [first, next])).toBe(true);
    await expect(db.pool.query(`update ${table} set valid_to = $1 where valid_to = $2`, [minute(4), minute(2)])).rejects.toMatchObject({
      code: "23P01",
      constraint: `${table}_once`,
    });
  });

  test("let a period be closed, and another begin at that instant", async () => {
    expect(await takes(table, [{ person: 0, owner: 0, connection: null, from: 0, to: null }])).toBe(true);
    const { rows } = await db.pool.query<{ id: number }>(`select id from ${table}`);
    await closePeriods(db.pool, { table, ids: rows.map(({ id }) => id), at: minute(3) });
    expect(await takes(table, [{ person: 0, owner: 0, connection: null, from: 3, to: null }])).toBe(true);
    expect(await takes(table, [{ person: 0, owner: 0, connection: null, from: 3, to: null }])).toBe(false);
  });
});
