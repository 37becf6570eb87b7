import { expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { inParallel } from "../../src/sync/in-parallel.ts";

test("all are worked through, in their order, never more at once than allowed", async () => {
  const begun: number[] = [];
  let [now, most] = [0, 0];
  await inParallel([1, 2, 3, 4, 5], {
    atOnce: 2,
    async work(item) {
      begun.push(item);
      most = Math.max(most, (now += 1));
      await new Promise((resolve) => setImmediate(resolve));
      now -= 1;
    },
  });
  expect(begun).toEqual([1, 2, 3, 4, 5]);
  expect(most).toBe(2);
});

test("after a failure nothing more is begun, and what had begun is over when it is told", async () => {
  const [begun, over]: [number[], number[]] = [[], []];
  const all = inParallel([1, 2, 3, 4, 5], {
    atOnce: 2,
    async work(item) {
      begun.push(item);
      if (item === 1) throw new Error("it broke");
      await sleep(20);
      over.push(item);
    },
  });
  await expect(all).rejects.toThrow("it broke");
  expect({ begun, over }).toEqual({ begun: [1, 2], over: [2] });
  await sleep(60);
  expect(begun).toEqual([1, 2]);
});
