import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { absencesOf, employmentPeriod, type EmploymentDates } from "../../src/directory/employment-period.ts";
import { firstInstantAt, openZone } from "../../src/directory/local-time.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const zoneNames = Intl.supportedValuesOf("timeZone");

function zone(name: string) {
  const opened = openZone(name);
  if (!opened) throw new Error(`this Node does not know ${name}`);
  return opened;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** What Intl shows on a clock there, by a format of its own. */
function shown(name: string, instant: number): string {
  const format = formats.get(name) ?? new Intl.DateTimeFormat("sv-SE", { timeZone: name, dateStyle: "short", timeStyle: "medium" });
  formats.set(name, format);
  return format.format(instant).replace(" ", "T");
}

const instantOf = (name: string, wall: string) => new Date(firstInstantAt(zone(name), Date.parse(`${wall}Z`))).toISOString();

describe("the instant of a local time", () => {
  test("whatever the zone and the day: the clock shows it or has jumped over it, and a moment earlier it did not", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...zoneNames),
        fc.integer({ min: Date.UTC(1975, 0), max: Date.UTC(2037, 11) }).map((at) => at - (at % 1000)),
        (name, wall) => {
          const at = firstInstantAt(zone(name), wall);
          const wanted = new Date(wall).toISOString().slice(0, 19);
          expect(shown(name, at) >= wanted).toBe(true);
          expect(shown(name, at - 1000) < wanted).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("around every jump of a zone's clock, too", () => {
    const jumps = fc.constantFrom<readonly [string, string]>(
      ["Europe/Oslo", "2026-03-29T02:30:00"],
      ["Europe/Oslo", "2026-10-25T02:30:00"],
      ["America/Sao_Paulo", "2018-11-04T00:00:00"],
      ["Asia/Beirut", "2022-03-27T00:00:00"],
      ["Australia/Lord_Howe", "2026-10-04T02:15:00"],
      ["Pacific/Apia", "2011-12-30T12:00:00"],
      ["Pacific/Kiritimati", "1994-12-31T12:00:00"],
      ["Africa/Casablanca", "2026-02-15T02:30:00"],
      ["America/Caracas", "2016-05-01T02:45:00"],
    );
    fc.assert(
      fc.property(jumps, fc.integer({ min: -100_000, max: 100_000 }), ([name, near], seconds) => {
        const wall = Date.parse(`${near}Z`) + seconds * 1000;
        const at = firstInstantAt(zone(name), wall);
        const wanted = new Date(wall).toISOString().slice(0, 19);
        expect(shown(name, at) >= wanted).toBe(true);
        // At a clock that is set back, earlier instants may show later times: none before the first one shows this one or later.
        for (const before of [1000, 60_000, HOUR_MS / 2, HOUR_MS, 2 * HOUR_MS, 12 * HOUR_MS])
          expect(shown(name, at - before) < wanted).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test("the hour that spring leaves out is the jump, the one that autumn repeats is its first time, and a day that the date line leaves out is its jump", () => {
    expect(instantOf("Europe/Oslo", "2026-03-29T02:30:00")).toBe("2026-03-29T01:00:00.000Z");
    expect(instantOf("Europe/Oslo", "2026-10-25T02:30:00")).toBe("2026-10-25T00:30:00.000Z");
    expect(instantOf("Pacific/Apia", "2011-12-30T18:00:00")).toBe("2011-12-30T10:00:00.000Z");
    expect(instantOf("Pacific/Kiritimati", "2026-06-01T00:00:00")).toBe("2026-05-31T10:00:00.000Z");
    expect(instantOf("America/Sao_Paulo", "2018-11-04T00:00:00")).toBe("2018-11-04T03:00:00.000Z");
  });

  test("there is no zone of any other name", () => {
    expect(openZone("Europe/Atlantis")).toBeUndefined();
    expect(openZone("W. Europe Standard Time")).toBeUndefined();
  });
});

const policy = { readyDaysBefore: 3, endsAt: "18:00" };
const oslo = (value: string) => ({ value, timeZone: "Europe/Oslo" });
const period = (dates: EmploymentDates, options = policy) => {
  const { from, to } = employmentPeriod(dates, options);
  return [from?.toISOString() ?? null, to?.toISOString() ?? null];
};

describe("the time that dates of employment give", () => {
  test("days before the start, by the local calendar and not by hours; the last day until the given local time", () => {
    expect(period({ start: oslo("2026-03-31"), end: oslo("2026-10-25") })).toEqual([
      "2026-03-27T23:00:00.000Z",
      "2026-10-25T17:00:00.000Z",
    ]);
    expect(period({ start: oslo("2028-03-01") })).toEqual(["2028-02-26T23:00:00.000Z", null]);
    expect(period({ end: oslo("2028-02-29") }, { readyDaysBefore: 0, endsAt: "24:00" })).toEqual([null, "2028-02-29T23:00:00.000Z"]);
  });

  test("a time of day counts as it is said, with its offset or without", () => {
    expect(period({ end: oslo("2026-06-30T16:30") })).toEqual([null, "2026-06-30T14:30:00.000Z"]);
    expect(period({ end: oslo("2026-06-30T16:30:00.000-05:00") })).toEqual([null, "2026-06-30T21:30:00.000Z"]);
    expect(period({ start: oslo("2026-06-30T23:30:00Z") })).toEqual(["2026-06-27T22:00:00.000Z", null]);
  });

  test("no end is no end, however it is written; an end before the start is no employment, though access were ready before", () => {
    expect(period({ start: oslo("2026-01-01"), end: oslo("9999-12-31") }, { ...policy, readyDaysBefore: 0 })).toEqual([
      "2025-12-31T23:00:00.000Z",
      null,
    ]);
    const calledOff = employmentPeriod({ start: oslo("2026-06-10"), end: oslo("2026-06-09") }, policy);
    expect(absencesOf(calledOff, new Date("2026-06-08T12:00:00Z"))).toEqual([
      { from: new Date("2026-06-08T12:00:00Z"), to: null, effect: "deactivated" },
    ]);
  });

  test("what is no date is refused by name", () => {
    for (const value of [
      "2026-02-30",
      "30.06.2026",
      "2026-6-1",
      "2026-06-31T25:00",
      "soon",
      "2026-06-30T10:00+1",
      "'; drop table people",
    ]) {
      expect(() => period({ start: oslo(value) })).toThrow(/^employment\.startDate: .* is not a date/);
      expect(() => period({ end: oslo(value) })).toThrow(/^employment\.endDate: .* is not a date/);
    }
    expect(() => period({ end: { value: "2026-06-30", timeZone: "Mars/Olympus" } })).toThrow(/"Mars\/Olympus" is not a time zone/);
  });

  test("at every instant from now on somebody is either within the period or absent, never both", () => {
    const instant = fc.option(fc.date({ min: new Date("2020-01-01"), max: new Date("2030-01-01"), noInvalidDate: true }), { nil: null });
    fc.assert(
      fc.property(instant, instant, fc.integer({ min: 0, max: 3650 }), fc.integer({ min: 0, max: 3650 }), (from, to, today, ahead) => {
        const now = new Date(Date.UTC(2020, 0) + today * DAY_MS);
        const at = new Date(now.getTime() + ahead * DAY_MS);
        const within = (from === null || from <= at) && (to === null || at < to) && (from === null || to === null || from < to);
        const absent = absencesOf({ from, to }, now).filter((absence) => absence.from <= at && (absence.to === null || at < absence.to));
        expect(absent.length).toBe(within ? 0 : 1);
      }),
    );
  });
});
