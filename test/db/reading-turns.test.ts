import { expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { createReadingTurns } from "../../src/db/reading-turns.ts";

test("So many read at once and no more, in the order in which they came, whether or not one of them fails", async () => {
  const turns = createReadingTurns({ atOnce: 2 });
  const [begun, most]: [number[], number[]] = [[], []];
  let going = 0;
  const read = (number: number) =>
    turns.take(async () => {
      begun.push(number);
      most.push((going += 1));
      await sleep(number % 3);
      going -= 1;
      if (number % 4 === 0) throw new Error(`read ${number} failed`);
      return number;
    });
  const ended = await Promise.allSettled(Array.from({ length: 20 }, (_, number) => read(number)));
  expect(begun).toEqual(Array.from({ length: 20 }, (_, number) => number));
  expect(Math.max(...most)).toBe(2);
  expect(ended.filter(({ status }) => status === "rejected")).toHaveLength(5);
  expect(await read(1)).toBe(1);
});
