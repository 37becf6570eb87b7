import { describe, expect, test } from "@jest/globals";
import { nextStrokes } from "../../src/connections/next-strokes.ts";
import { struckBefore } from "../../src/connections/repeated-hour.ts";

describe("the hour that autumn repeats", () => {
  // Oslo goes back from 03:00 to 02:00 at 01:00 UTC, Lord Howe from 02:00 to 01:30 at 15:00 UTC.
  test.each([
    ["its first time strikes", "30 2 * * *", "Europe/Oslo", "2026-10-25T00:30:00Z", false],
    ["its second time does not", "30 2 * * *", "Europe/Oslo", "2026-10-25T01:30:00Z", true],
    ["nor with more hours than one", "0 2,14 * * *", "Europe/Oslo", "2026-10-25T01:00:00Z", true],
    ["what strikes every hour strikes in both", "*/15 * * * *", "Europe/Oslo", "2026-10-25T01:30:00Z", false],
    ["the hour after it strikes", "0 3 * * *", "Europe/Oslo", "2026-10-25T02:00:00Z", false],
    ["any other day strikes", "30 2 * * *", "Europe/Oslo", "2026-10-26T01:30:00Z", false],
    ["half an hour, where it is that", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T15:15:00Z", true],
    ["no zone without summer time", "30 2 * * *", "UTC", "2026-10-25T02:30:00Z", false],
  ])("%s", (_what, expression, timeZone, at, expected) => {
    expect(struckBefore(new Date(at), { expression, timeZone })).toBe(expected);
  });

  test("what is told of the next strokes leaves it out", () => {
    for (const at of nextStrokes({ schedule: "30 2 * * *", timeZone: "Europe/Oslo" }))
      expect(struckBefore(at, { expression: "30 2 * * *", timeZone: "Europe/Oslo" })).toBe(false);
  });
});
