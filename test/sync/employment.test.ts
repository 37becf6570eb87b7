import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { DEFAULT_EMPLOYMENT } from "../../src/directory/employment-period.ts";
import { employmentChange, type EmploymentInput } from "../../src/sync/employment.ts";
import { compileMapping } from "../../src/sync/mapping.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { person, syncWorld, testConnection } from "../helpers/sync.ts";
import { world } from "../helpers/memory-source.ts";

const NOW = new Date("2027-03-15T12:00:00Z");
const HR = 1;
const ENTRA = 2;

const input = (changes: Partial<EmploymentInput>): EmploymentInput => ({
  connectionId: HR,
  said: undefined,
  absences: [],
  origins: new Set([HR]),
  mappingOf: () => ({ ...compileMapping(null), employment: DEFAULT_EMPLOYMENT }),
  now: NOW,
  ...changes,
});
const ending = (value: string, connectionId = HR, timeZone?: string) => ({ end: { value, connectionId, timeZone }, timeZone: undefined });
const ended = { connectionId: HR, effect: "deactivated" as const, from: "2027-01-01T00:00:00+00:00", to: null };

describe("what the dates of a record change", () => {
  test("nobody gives dates and nobody ever did: nothing", () => {
    expect(employmentChange(input({}))).toEqual({ payload: {}, effect: undefined });
  });

  test("an end that is new or earlier takes away, one that is later does not, and one that is gone gives back", () => {
    const effect = (changes: Partial<EmploymentInput>) => employmentChange(input(changes)).effect;
    const ahead = { ...ended, from: "2027-06-01T00:00:00+00:00" };
    expect(effect({ said: ending("2027-05-31") })).toBe("ends");
    expect(effect({ said: ending("2027-04-30"), absences: [ahead] })).toBe("ends");
    expect(effect({ said: ending("2027-05-31"), absences: [ahead] })).toBeUndefined();
    expect(effect({ said: ending("2027-12-31"), absences: [ahead] })).toBeUndefined();
    expect(effect({ said: ending("2027-12-31"), absences: [ended] })).toBe("begins");
    expect(effect({ absences: [ended] })).toBe("begins");
    expect(effect({ said: ending("2026-12-31"), absences: [{ ...ended, from: "2027-01-01T00:00:00+00:00" }] })).toBeUndefined();
  });

  test("the end that an origin said goes on holding when it is silent or lists the person no more, whatever others don't say", () => {
    const left = input({ connectionId: ENTRA, origins: new Set([ENTRA]), absences: [ended] });
    expect(employmentChange(left)).toEqual({ payload: {}, effect: undefined });
    expect(employmentChange({ ...left, said: ending("2028-01-01", ENTRA) }).effect).toBe("begins");
  });

  test("a date of another origin that can't be read changes nothing; one's own is refused", () => {
    const said = ending("soon");
    expect(employmentChange(input({ connectionId: ENTRA, origins: new Set([HR, ENTRA]), said, absences: [ended] })).payload).toEqual({});
    expect(() => employmentChange(input({ said }))).toThrow(/employment\.endDate/);
  });

  test("the zone is that of the employment, else of the same origin where it is one, else the connection's", () => {
    const to = (said: EmploymentInput["said"]) => employmentChange(input({ said })).payload.employment?.period?.to;
    expect(to({ ...ending("2027-05-31", HR, "Asia/Tokyo"), timeZone: "America/New_York" })).toBe("2027-06-01T04:00:00.000Z");
    expect(to(ending("2027-05-31", HR, "Asia/Tokyo"))).toBe("2027-05-31T15:00:00.000Z");
    expect(to(ending("2027-05-31", HR, "Tokyo Standard Time"))).toBe("2027-06-01T00:00:00.000Z");
  });
});

describe("in a run", () => {
  let db: TestDatabase;
  const ctx = testContext({ now: () => NOW });
  beforeAll(async () => {
    db = await testDatabase();
  });
  afterAll(() => db.drop());

  test("B2: a feed in which everybody's last day is suddenly past is held, and nobody is out", async () => {
    await testConnection(db, ctx, { mapping: { user: { attributes: { userName: "account.uid", "employment.endDate": "account.end" } } } });
    const names = Array.from({ length: 40 }, (_, index) => `p${index}`);
    const feed = (end: string) => world(names.map((name) => person(name, { end })));
    expect((await syncWorld(db, ctx, { world: feed("") })).state).toBe("done");
    expect((await syncWorld(db, ctx, { world: feed("2027-03-01") })).state).toBe("held");
    expect((await db.pool.query("select from people where active")).rowCount).toBe(40);
    // An end ahead is as much a decision to take away.
    expect((await syncWorld(db, ctx, { world: feed("2027-04-01") })).state).toBe("held");
    expect((await db.pool.query("select from employment_absences")).rowCount).toBe(0);
  });

  test("days at the very ends of the calendar are stored like others: a start of 0001-01-01 keeps no end from being believed", async () => {
    await testConnection(db, ctx, {
      name: "old",
      mapping: {
        user: { attributes: { userName: "account.uid", "employment.startDate": "account.start", "employment.endDate": "account.end" } },
        employment: { timeZone: "Asia/Tokyo" },
      },
    });
    const said = [
      person("no-start", { start: "0001-01-01", end: "2027-03-01" }),
      person("no-end", { start: "0001-01-01", end: "9999-12-30T23:59:59-12:00" }),
      person("neither", { start: "0000-01-01", end: "0001-01-01" }),
      person("never", { start: "9999-12-31", end: "" }),
    ];
    const { state } = await syncWorld(db, ctx, { connection: "old", world: world(said) });
    const { rows: failed } = await db.pool.query("select from plan_outcomes where state = 'failed'");
    const { rows } = await db.pool.query("select user_name, state from people where user_name = any($1) order by 1", [
      ["no-start", "no-end", "neither", "never"],
    ]);
    expect({ state, failed: failed.length, rows }).toEqual({
      state: "done",
      failed: 0,
      rows: [
        { user_name: "neither", state: "deactivated" },
        { user_name: "never", state: "suspended" },
        { user_name: "no-end", state: "active" },
        { user_name: "no-start", state: "deactivated" },
      ],
    });
  });
});
