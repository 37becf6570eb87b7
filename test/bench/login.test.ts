import { expect, test } from "@jest/globals";
import { detectableShift, kolmogorovSmirnov } from "../../bench/login/distribution.ts";
import type { Row } from "../../bench/table.ts";
import { runBench } from "./run-bench.ts";

const times = (count: number, { shift = 0 } = {}) => Array.from({ length: count }, (_, at) => 30 + ((at * 7919) % 1000) / 100 + shift);

test("G2: the test that is to tell answer times apart tells them apart when they are, and says how well", () => {
  expect(kolmogorovSmirnov(times(1000), times(1000))).toBe(0);
  expect(kolmogorovSmirnov(times(1000), times(1000, { shift: 2 }))).toBeGreaterThan(1);
  expect(kolmogorovSmirnov(times(1000), times(1000, { shift: 0.05 }))).toBeLessThan(1);
  const few = detectableShift(times(1000), { each: 50 });
  const many = detectableShift(times(1000), { each: 1000 });
  expect(many).toBeLessThan(few);
});

test("the benchmark of signing in measures both kinds of names, and sign-ins beside bare argon2id", async () => {
  const args = ["login", "--people", "20", "--tries", "20", "--seconds", "0.2", "--json"];
  const { rows } = JSON.parse(await runBench(args)) as { rows: Row[] };
  expect(rows.map(({ what }) => what.replace(/[:,].*/, ""))).toEqual([
    "a wrong password",
    "smallest shift that this test finds in 95 of 100 repetitions",
    "bare argon2id",
    "whole sign-ins (three requests)",
    "processor time of a whole sign-in in this process",
  ]);
  expect(rows[3]?.value).toBeGreaterThan(0);
  await expect(runBench(["login", "--tries", "none"])).rejects.toMatchObject({ code: 2 });
}, 300_000);
