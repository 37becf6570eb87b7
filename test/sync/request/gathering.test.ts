import { setImmediate as nextTurn, setTimeout as later } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createGathering, type Gathering } from "../../../src/sync/request/gathering.ts";

/** What PostgreSQL says of a statement that it has rolled back, and what is known when the connection is gone. */
const refused = () => Object.assign(new Error("taken"), { severity: "ERROR", code: "23505" });
const lost = () => new Error("Connection terminated unexpectedly");

const item = fc.record({
  form: fc.constantFrom("a", "b"),
  subject: fc.nat(4),
  fate: fc.oneof({ weight: 8, arbitrary: fc.constant("written") }, fc.constantFrom("refused", "lost")),
  after: fc.nat(3),
});

test("M1: each has its own outcome; two of one subject are never written at once, and nothing is written twice", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 60 }), async (items) => {
      const under = new Set<string>();
      const written = new Map<number, number>();
      const lostTogether = new Set<number>();
      const gathered = createGathering<(typeof items)[number] & { number: number }, number>({
        formOf: ({ form }) => form,
        subjectOf: ({ subject }) => String(subject),
        async together(all) {
          expect(new Set(all.map(({ form }) => form)).size).toBe(1);
          const subjects = all.map(({ form, subject }) => `${form} ${subject}`);
          for (const subject of subjects) {
            // Those of a statement that was refused go alone, at once; nothing of it is kept.
            if (all.length > 1) expect(under.has(subject)).toBe(false);
            under.add(subject);
          }
          await later(1);
          for (const subject of subjects) under.delete(subject);
          if (all.some(({ fate }) => fate === "lost")) {
            for (const { number } of all) lostTogether.add(number);
            throw lost();
          }
          if (all.some(({ fate }) => fate === "refused")) throw refused();
          for (const { number } of all) written.set(number, (written.get(number) ?? 0) + 1);
          return all.map(({ number }) => number * 2);
        },
      });
      const ends = await Promise.allSettled(
        items.map(async (each, number) => {
          await later(each.after);
          return gathered({ ...each, number });
        }),
      );
      for (const [number, end] of ends.entries()) {
        const { fate } = items[number] ?? { fate: "" };
        if (lostTogether.has(number)) expect(end).toMatchObject({ status: "rejected", reason: lost() });
        else if (fate === "refused") expect(end).toMatchObject({ status: "rejected", reason: refused() });
        else expect(end).toEqual({ status: "fulfilled", value: number * 2 });
        expect(written.get(number) ?? 0).toBe(end.status === "fulfilled" ? 1 : 0);
      }
    }),
    { numRuns: 60 },
  );
});

/** Statements that take so many milliseconds, and how many each wrote. */
function gatheringBySize(takesMs: number): { gathered: Gathering<number, number>; sizes: number[] } {
  const sizes: number[] = [];
  const gathered = createGathering<number, number>({
    formOf: () => "one",
    subjectOf: String,
    async together(all) {
      sizes.push(all.length);
      await later(takesMs);
      return [...all];
    },
  });
  return { gathered, sizes };
}

test("who comes at one moment goes together, half of them at a time where they are many, and so does who comes while a statement is on its way", async () => {
  const { gathered, sizes } = gatheringBySize(5);
  const many = (count: number) => Array.from({ length: count }, (_, number) => gathered(number + 1));
  await Promise.all(many(8));
  expect(sizes.splice(0)).toEqual([8]);
  // Half, and as many as one may have.
  await Promise.all(many(40));
  expect(sizes.splice(0)).toEqual([20, 20]);
  await Promise.all(many(80));
  expect(sizes.splice(0)).toEqual([32, 32, 16]);
  const first = gathered(0);
  await nextTurn();
  // Sixteen are worth a second statement beside the first, of half of those around; the others come when the first is through, and then the second.
  await Promise.all([first, ...many(40)]);
  expect(sizes).toEqual([1, 9, 20, 11]);
});

test("those who come again and again fall into two halves: one is written while the other is answered", async () => {
  const { gathered, sizes } = gatheringBySize(2);
  const comesAgain = async (number: number) => {
    for (let round = 0; round < 20; round++) {
      await gathered(number);
      await nextTurn();
    }
  };
  // One is ahead of the fifteen: kept together, they would wait for that one, and it for them, for good.
  const ahead = comesAgain(0);
  await nextTurn();
  await Promise.all([ahead, ...Array.from({ length: 15 }, (_, at) => comesAgain(at + 1))]);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(8);
  expect(sizes.filter((size) => size >= 7).length).toBeGreaterThan(sizes.length / 2);
});

test("a statement that is held up holds up nobody who came after it", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const gathered = createGathering<number, number>({
    formOf: () => "one",
    subjectOf: String,
    async together(all) {
      if (all.includes(0)) await held;
      return [...all];
    },
  });
  const first = gathered(0);
  await nextTurn();
  expect(await Promise.all([gathered(1), gathered(2)])).toEqual([1, 2]);
  expect(await gathered(3)).toBe(3);
  release();
  expect(await first).toBe(0);
});
