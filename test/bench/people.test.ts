import { expect, test } from "@jest/globals";
import type { Row } from "../../bench/table.ts";
import { runBench } from "./run-bench.ts";

test("the benchmark of people searches and lists them beside a bare SELECT", async () => {
  const args = ["people", "--people", "300", "--units", "20", "--seconds", "0.2", "--json"];
  // One of the benchmarks is to start all that a user's run starts.
  const { rows } = JSON.parse(await runBench(args, { ownPostgres: true })) as { rows: Row[] };
  expect(rows.map(({ what }) => what.replace(/, p.*/, ""))).toEqual([
    "bare SELECT by primary key, 16 connections",
    "search over HTTP, 1 connection",
    "filtered lists over HTTP, 1 connection",
    "search over HTTP, 16 connections",
    "filtered lists over HTTP, 16 connections",
  ]);
  for (const { value } of rows.slice(1)) expect(value).toBeGreaterThan(0);
  await expect(runBench(["people", "--people", "none"])).rejects.toMatchObject({ code: 2 });
}, 300_000);
