import { expect, test } from "@jest/globals";
import { createCommonWords } from "../../src/db/common-words.ts";

test("how many met common words is remembered for a minute; of words that few meet, nothing", () => {
  let at = 5;
  const common = createCommonWords(() => at);
  common.note(["hansen"], 2001);
  common.note(["an", "hansen"], 200);
  expect([common.met(["hansen"]), common.met(["an", "hansen"]), common.met(["an"])]).toEqual([2001, 0, 0]);
  common.note(["hansen"], 12);
  expect(common.met(["hansen"])).toBe(0);
  common.note(["hansen"], 201);
  at += 59_999;
  expect(common.met(["hansen"])).toBe(201);
  at += 1;
  expect(common.met(["hansen"])).toBe(0);
});

test("of ever new words no more are remembered than a thousand", () => {
  const common = createCommonWords();
  const words = Array.from({ length: 1001 }, (_, at) => [`word${at}`]);
  for (const each of words) common.note(each, 500);
  expect(words.filter((each) => common.met(each) > 0)).toEqual([["word1000"]]);
});

test("that a search led to no page soon is remembered of its values for a minute", () => {
  let at = 5;
  const common = createCommonWords(() => at);
  common.noteScattered(["%hansen%", ["a.b"], null]);
  expect([common.isScattered(["%hansen%", ["a.b"], null]), common.isScattered(["%hansen%", ["a"], null])]).toEqual([true, false]);
  at += 60_000;
  expect(common.isScattered(["%hansen%", ["a.b"], null])).toBe(false);
});
