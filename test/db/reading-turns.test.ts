import { expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { createReadingTurns } from "../../src/db/reading-turns.ts";

test("So many read at once and no more, in the order in which they came, whether or not one of them fails", async () => {
  const turns = createReadingTurns({ atOnce: 2, atMost: 4, patienceMs: 60_000 });
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

test("Behind reads that take long nobody waits for ever: one after the other goes on beside them, as far as there are connections", async () => {
  const turns = createReadingTurns({ atOnce: 1, atMost: 3, patienceMs: 30 });
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const reads = Array.from({ length: 4 }, (_, number) =>
    turns.take(() => {
      begun.push(number);
      return new Promise<void>((end) => ends.push(end));
    }),
  );
  await sleep(5);
  expect(begun).toEqual([0]);
  while (begun.length < 3) await sleep(5);
  await sleep(100);
  expect(begun).toEqual([0, 1, 2]);
  // Who has waited for long goes on as soon as any of them ends.
  ends[1]?.();
  await reads[1];
  await sleep(5);
  expect(begun).toEqual([0, 1, 2, 3]);
  for (const end of ends) end();
  await Promise.all(reads);
});
