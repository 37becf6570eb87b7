import { describe, expect, test } from "@jest/globals";
import { lastStroke } from "../../src/jobs/missed-stroke.ts";

const at = (time: string) => new Date(`2026-11-22T${time}Z`);
const hourly = { seconds: [0], match: (date: Date) => date.getUTCMinutes() === 0 && date.getUTCSeconds() === 0 };
const everyTen = { seconds: [0, 10, 20, 30, 40, 50], match: (date: Date) => date.getUTCSeconds() % 10 === 0 };

describe("the last time that a clock should have struck", () => {
  test.each([
    ["the last of many", hourly, "01:30:00", "04:59:59", "04:00:00"],
    ["that very instant counts at the end", hourly, "01:30:00", "04:00:00", "04:00:00"],
    ["and not at the beginning", hourly, "04:00:00", "04:59:00", undefined],
    ["within one minute", everyTen, "04:00:05", "04:00:29", "04:00:20"],
    ["none before its beginning", everyTen, "04:00:21", "04:00:29", undefined],
    ["nothing of no time", hourly, "05:00:00", "04:00:00", undefined],
  ] as const)("%s", (_what, clock, after, until, expected) => {
    expect(lastStroke(clock, { after: at(after), until: at(until) })).toEqual(expected === undefined ? undefined : at(expected));
  });
});
