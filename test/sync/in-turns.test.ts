import { expect, test } from "@jest/globals";
import { inTurns } from "../../src/sync/in-turns.ts";

test("thousands are made in their order, and others get their turn in between", async () => {
  let turns = 0;
  const other = setInterval(() => void (turns += 1), 0);
  const given = Array.from({ length: 2000 }, (_, index) => index);
  const until = (ms: number) => {
    for (const end = Date.now() + ms; Date.now() < end;);
  };
  const made = await inTurns(given, (each) => {
    if (each % 100 === 0) until(2);
    return each * 2;
  });
  clearInterval(other);
  expect(made).toEqual(given.map((each) => each * 2));
  expect(turns).toBeGreaterThanOrEqual(5);
});
