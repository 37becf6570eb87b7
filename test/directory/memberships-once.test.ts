import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import { closePeriods } from "../../src/directory/periods.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";

/** What a table that would hold two overlapping periods answers: at the index, or where closed periods are looked for. */
const REFUSALS = ["23505", "23P01"];
const GROUPS = ["00000000-0000-4000-8000-0000000000a1", "00000000-0000-4000-8000-0000000000a2"];
const PEOPLE = ["00000000-0000-4000-8000-0000000000b1", "00000000-0000-4000-8000-0000000000b2"];

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
  // As memberships were kept apart before: by an exclusion constraint that asks nobody what is likely.
  await db.pool
    .query(`create table reference (like memberships including defaults, valid tstzrange generated always as (tstzrange(valid_from, valid_to)) stored);
    alter table reference add exclude using gist (person_id with =, group_id with =, (coalesce(connection_id, 0)) with =, valid with &&)
      where (recorded_to is null and valid_to is not null);
    create unique index on reference (person_id, group_id, (coalesce(connection_id, 0))) where recorded_to is null and valid_to is null`);
});
// Not truncated: that makes new files, a hundred times.
const empty = () => db.pool.query("delete from memberships; delete from reference");
beforeEach(empty);
afterAll(() => db.drop());

/** The n-th minute of a day. */
const minute = (n: number) => new Date(Date.UTC(2030, 0, 1, 0, n));

interface Period {
  group: number;
  person: number;
  connection: number | null;
  from: number;
  to: number | null;
}

/** Whether the table takes these periods, in one statement; if not, none of them. */
async function takes(table: "memberships" | "reference", periods: readonly Period[]): Promise<boolean> {
  try {
    await db.pool.query(
      `insert into ${table} (group_id, person_id, connection_id, valid_from, valid_to, recorded_from)
       select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::timestamptz[], $5::timestamptz[], $4::timestamptz[])`,
      [
        periods.map(({ group }) => GROUPS[group]),
        periods.map(({ person }) => PEOPLE[person]),
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

const supersede = (table: string, { group, person }: Period) =>
  db.pool.query(
    `update ${table} set recorded_to = recorded_from where group_id = $1 and person_id = $2 and recorded_to is null and valid_from = (
       select min(valid_from) from ${table} where group_id = $1 and person_id = $2 and recorded_to is null)`,
    [GROUPS[group], PEOPLE[person]],
  );

const from = fc.nat(12);
const period: fc.Arbitrary<Period> = from.chain((begin) =>
  fc.record({
    group: fc.nat(1),
    person: fc.nat(1),
    connection: fc.constantFrom(null, 1),
    from: fc.constant(begin),
    to: fc.option(fc.integer({ min: begin + 1, max: 14 })),
  }),
);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.array(period, { minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: period.map((of) => ({ superseded: of })) },
);

test("nobody is in a group twice at one time: every period is taken or refused as an exclusion constraint would", async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 12 }), async (steps) => {
      await empty();
      for (const each of steps) {
        if ("superseded" in each) {
          for (const table of ["memberships", "reference"]) await supersede(table, each.superseded);
          continue;
        }
        const verdicts = [await takes("memberships", each), await takes("reference", each)];
        expect(verdicts[0]).toBe(verdicts[1]);
        seen.add(`${each.length > 1} ${verdicts[0]}`);
      }
    }),
    { numRuns: 20 },
  );
  expect([...seen].toSorted()).toEqual(["false false", "false true", "true false", "true true"]);
});

test("who changes a period that is believed is held to the same", async () => {
  expect(await takes("memberships", [{ group: 0, person: 0, connection: 1, from: 1, to: 3 }])).toBe(true);
  expect(await takes("memberships", [{ group: 0, person: 0, connection: 1, from: 3, to: 5 }])).toBe(true);
  await expect(db.pool.query("update memberships set valid_to = $1 where valid_from = $2", [minute(4), minute(1)])).rejects.toMatchObject({
    code: "23P01",
    constraint: "memberships_once",
  });
});

test("two who close and open one membership side by side wait for each other, and periods don't overlap though their clocks differ", async () => {
  await takes("memberships", [{ group: 0, person: 0, connection: 1, from: 1, to: null }]);
  const idOfOpen = "select id from memberships where recorded_to is null and valid_to is null";
  const open = (at: number) =>
    [
      "insert into memberships (group_id, person_id, connection_id, valid_from, recorded_from) values ($1, $2, 1, $3, $3)",
      [GROUPS[0], PEOPLE[0], minute(at)],
    ] as const;
  const [one, other] = [await db.pool.connect(), await db.pool.connect()];
  try {
    await one.query("begin");
    await closePeriods(one, { table: "memberships", ids: [(await one.query(idOfOpen)).rows[0].id], at: minute(9) });
    const { rows } = await other.query<{ pid: number }>("select pg_backend_pid() as pid");
    // Its clock is behind: the period would begin before the one that is being closed ends.
    const opening = other.query(open(5)[0], [...open(5)[1]]);
    for (let waits = false; !waits;)
      waits = (await db.pool.query("select cardinality(pg_blocking_pids($1)) > 0 as waits", [rows[0]?.pid])).rows[0].waits;
    await one.query("commit");
    await opening;
    const close = async (at: number) =>
      closePeriods(other, { table: "memberships", ids: [(await other.query(idOfOpen)).rows[0].id], at: minute(at) });
    await close(7);
    await other.query(open(8)[0], [...open(8)[1]]);
    expect(await takes("memberships", [{ group: 0, person: 0, connection: 1, from: 8, to: 12 }])).toBe(false);
    await close(12);
    const { rows: left } = await db.pool.query(
      "select valid_from, valid_to from memberships where recorded_to is null order by valid_from",
    );
    expect(left).toEqual([
      { valid_from: minute(1), valid_to: minute(9) },
      { valid_from: minute(9), valid_to: minute(12) },
    ]);
  } finally {
    one.release();
    other.release();
  }
});

test("who is put into a unit by a clock that was set back leaves it all the same: of the stay only the rest is kept", async () => {
  const place = (at: number) =>
    db.pool.query("insert into person_units (person_id, unit_id, connection_id, valid_from, recorded_from) values ($1, $2, 1, $3, $3)", [
      PEOPLE[0],
      GROUPS[0],
      minute(at),
    ]);
  const leave = async (at: number) => {
    const { rows } = await db.pool.query<{ id: number }>("select id from person_units where recorded_to is null and valid_to is null");
    await closePeriods(db.pool, { table: "person_units", ids: rows.map(({ id }) => id), at: minute(at) });
  };
  await place(1);
  await leave(30);
  await place(5);
  await leave(7);
  await place(8);
  await leave(40);
  const { rows } = await db.pool.query("select valid_from, valid_to from person_units where recorded_to is null order by valid_from");
  expect(rows).toEqual([
    { valid_from: minute(1), valid_to: minute(30) },
    { valid_from: minute(30), valid_to: minute(40) },
  ]);
});

test("a membership's ranges are told as when they were columns, from the same lookups, and none ends before it begins", async () => {
  await takes("memberships", [
    { group: 0, person: 0, connection: 1, from: 1, to: 3 },
    { group: 0, person: 0, connection: 1, from: 5, to: null },
  ]);
  const { rows } = await db.pool.query(
    `select m.valid = tstzrange(m.valid_from, m.valid_to) as valid, m.recorded = tstzrange(m.recorded_from, m.recorded_to) as recorded, m.valid @> $1::timestamptz as held
       from memberships m order by m.valid_from`,
    [minute(2)],
  );
  expect(rows).toEqual([
    { valid: true, recorded: true, held: true },
    { valid: true, recorded: true, held: false },
  ]);
  // Asked of each row as the planner sees it, not by calling a function: what is known of how many hold at an instant is found.
  const { rows: plan } = await db.pool.query<{ "QUERY PLAN": string }>(
    "explain (costs off) select from memberships m where m.person_id = $1 and m.recorded_to is null and m.valid @> now()",
    [PEOPLE[0]],
  );
  expect(plan.map((line) => line["QUERY PLAN"]).join("\n")).toContain("tstzrange(valid_from, valid_to)");
  for (const wrong of ["valid_to = valid_from - interval '1 second'", "recorded_to = recorded_from - interval '1 second'"])
    await expect(db.pool.query(`update memberships set ${wrong}`)).rejects.toMatchObject({ code: "23514" });
});
