import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { createSharedAnswers } from "../../src/db/shared-answers.ts";

/** Questions that are answered one after the other, by hand. */
function questions() {
  const open: { resolve(answer: number): void; reject(error: Error): void }[] = [];
  let begun = 0;
  return {
    begun: () => begun,
    ask: () =>
      new Promise<number>((resolve, reject) => {
        begun += 1;
        open.push({ resolve, reject });
      }),
    settle(answer: number | Error) {
      const first = open.shift();
      if (answer instanceof Error) first?.reject(answer);
      else first?.resolve(answer);
    },
  };
}

const turns = async () => {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
};

describe("one question for all who ask the same", () => {
  test("those who come while one is under way share the next, and none is given one that began before", async () => {
    const { ask, begun, settle } = questions();
    const answers = createSharedAnswers<number>();
    const first = answers.of("key", ask);
    const [second, third] = [answers.of("key", ask), answers.of("key", ask)];
    expect(begun()).toBe(1);
    settle(1);
    await turns();
    expect(begun()).toBe(2);
    const fourth = answers.of("key", ask);
    settle(2);
    await turns();
    settle(3);
    expect(await Promise.all([first, second, third, fourth])).toEqual([1, 2, 2, 3]);
    await turns();
    expect(begun()).toBe(3);
  });

  test("with a patience, nobody waits longer than that for one that is slow, and its answer is still the first one's", async () => {
    const { ask, begun, settle } = questions();
    const answers = createSharedAnswers<number>({ patienceMs: 5 });
    const first = answers.of("key", ask);
    const [second, third] = [answers.of("key", ask), answers.of("key", ask)];
    expect(begun()).toBe(1);
    while (begun() < 2) await sleep(1);
    settle(1);
    settle(2);
    expect(await Promise.all([first, second, third])).toEqual([1, 2, 2]);
    const fourth = answers.of("key", ask);
    expect(begun()).toBe(3);
    settle(3);
    expect(await fourth).toBe(3);
  });

  test("what one fails with is told to those who shared it, and to nobody else", async () => {
    const { ask, settle } = questions();
    const answers = createSharedAnswers<number>();
    const all = [answers.of("key", ask), answers.of("key", ask), answers.of("key", ask), answers.of("other", ask)];
    const settled = Promise.allSettled(all);
    settle(new Error("gone"));
    settle(7);
    await turns();
    settle(2);
    expect((await settled).map((each) => (each.status === "fulfilled" ? each.value : String(each.reason)))).toEqual([
      "Error: gone",
      2,
      2,
      7,
    ]);
  });

  test("however askers and answers meet: everybody's answer began after he asked, and at most one is under way", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom("ask", "settle", "wait"), { maxLength: 60 }), async (steps) => {
        const answers = createSharedAnswers<{ began: number }>();
        let [clock, underWay, most] = [0, 0, 0];
        const open: (() => void)[] = [];
        const given: Promise<{ asked: number; began: number }>[] = [];
        const ask = async () => {
          const began = (clock += 1);
          most = Math.max(most, (underWay += 1));
          await new Promise<void>((resolve) => open.push(resolve));
          underWay -= 1;
          return { began };
        };
        for (const step of steps) {
          if (step === "ask") {
            const asked = (clock += 1);
            given.push(answers.of("key", ask).then(({ began }) => ({ asked, began })));
          } else if (step === "settle") open.shift()?.();
          else await turns();
        }
        for (let left = 0; left <= given.length; left += 1) {
          open.shift()?.();
          await turns();
        }
        for (const { asked, began } of await Promise.all(given)) expect(began).toBeGreaterThan(asked);
        expect(most).toBeLessThanOrEqual(1);
      }),
    );
  });
});
