import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createGathering } from "../../src/connections/hooks/gathering.ts";

test("everything that is added is done once, before its promise resolves, and much of it together", async () => {
  const added = fc.array(fc.record({ key: fc.integer({ min: 1, max: 3 }), pause: fc.integer({ min: 0, max: 3 }) }), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(added, async (adds) => {
      const done: string[] = [];
      let calls = 0;
      const gathering = createGathering<readonly string[]>(
        async (key, items) => {
          calls++;
          await turn();
          done.push(...items.map((item) => `${key}:${item}`));
        },
        (before, later) => [...before, ...later],
      );
      const promises: Promise<void>[] = [];
      for (const [index, { key, pause }] of adds.entries()) {
        for (let passed = 0; passed < pause; passed++) await turn();
        const isDone = async (): Promise<void> => {
          await gathering.add(key, [String(index)]);
          expect(done).toContain(`${key}:${index}`);
        };
        promises.push(isDone());
      }
      await Promise.all(promises);
      expect(done.toSorted()).toEqual(adds.map(({ key }, index) => `${key}:${index}`).sort());
      if (adds.every(({ pause }) => pause === 0)) expect(calls).toBeLessThanOrEqual(6);
    }),
  );
});

test("who is part of work that fails is told; what comes afterwards is done", async () => {
  const done: string[] = [];
  const gathering = createGathering<string>(
    async (_key, item) => {
      await turn();
      if (item.includes("bad")) throw new Error(item);
      done.push(item);
    },
    (before, later) => `${before} ${later}`,
  );
  const outcomes = await Promise.allSettled([gathering.add(1, "bad"), gathering.add(1, "good"), gathering.add(1, "too")]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
  expect(done).toEqual(["good too"]);
  await gathering.add(1, "later");
  expect(done).toEqual(["good too", "later"]);
});
