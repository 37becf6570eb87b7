import { expect, test } from "@jest/globals";
import { waitBefore } from "../../src/provision/outcome.ts";

test("waits double up to an hour, with jitter, and honour Retry-After", () => {
  expect(waitBefore(1, { random: 1 })).toBe(2000);
  expect(waitBefore(3, { random: 0 })).toBe(4000);
  expect(waitBefore(30, { random: 1 })).toBe(3_600_000);
  expect(waitBefore(1, { random: 1, retryAfterMs: 90_000 })).toBe(90_000);
});
