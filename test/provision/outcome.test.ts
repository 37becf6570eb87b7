import { expect, test } from "@jest/globals";
import { waitBefore } from "../../src/provision/outcome.ts";

test("waits double up to an hour, with jitter, and honour Retry-After", () => {
  expect(waitBefore(1, { random: 1 })).toBe(2000);
  expect(waitBefore(3, { random: 0 })).toBe(4000);
  expect(waitBefore(30, { random: 1 })).toBe(3_600_000);
  expect(waitBefore(1, { random: 1, retryAfterMs: 90_000 })).toBe(90_000);
});

test.each([
  ["a date in another century", 2_300_000_000_000],
  ["a number that is no date any more", 1e23],
  ["no number at all", Number.POSITIVE_INFINITY],
])("a target that asks to be left alone until %s is asked again after a day", (_title, retryAfterMs) => {
  expect(waitBefore(1, { random: 1, retryAfterMs })).toBe(86_400_000);
});
