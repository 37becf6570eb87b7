import { beforeAll, describe, expect, test } from "@jest/globals";
import { isOver, renderTable, type Row } from "../../bench/table.ts";
import { runBench } from "./run-bench.ts";

interface Side {
  changed: number;
  size: { people: number };
  read: { entries: number; members: number };
  first: Step;
  unchanged: Step;
  incremental: { cold: Step; warm: Step; written: Record<string, number> };
}

interface Step {
  peakBytes: number;
  result: {
    mode: string;
    read: Record<string, { read: number; changed: number; problems: number }>;
    applied: { applied: number; failed: number };
    timings: Record<string, number>;
  };
  written: Record<string, number>;
}

describe("the benchmark", () => {
  let answer: { rows: (Row & { over: boolean })[]; large: Side; small: Side };

  beforeAll(async () => {
    const sizes = ["--people", "500", "--groups", "30", "--big", "2x120", "--changed", "20", "--repeat", "1"];
    answer = JSON.parse(await runBench([...sizes, "--json"]));
  }, 300_000);

  test("reads the whole company, and the first sync takes all of it in", () => {
    const { read, first } = answer.large;
    expect(read.entries).toBe(500 + 30 + 49);
    expect(first.result.read["user"]?.read).toBe(500);
    expect(first.result.read["group"]?.read).toBe(30);
    expect(first.result.read["unit"]?.read).toBe(49);
    expect(first.result.applied).toMatchObject({ applied: 579, failed: 0 });
    expect(first.written["people"]).toBeGreaterThanOrEqual(500);
    expect(first.written["memberships"]).toBeGreaterThanOrEqual(read.members - 10);
  });

  test("a full sync with nothing changed reads all and writes no row of people, accounts or memberships", () => {
    expect(answer.large.unchanged.result.mode).toBe("full");
    expect(answer.large.unchanged.result.read["user"]).toEqual({ read: 500, changed: 0, problems: 0 });
    expect(answer.large.unchanged.written).toEqual({ people: 0, accounts: 0, memberships: 0 });
  });

  test("an incremental sync touches the people who changed and no others", () => {
    const { cold, warm, written } = answer.large.incremental;
    for (const { result } of [cold, warm]) {
      expect(result.mode).toBe("incremental");
      expect(result.read["user"]?.changed).toBe(20);
      expect(result.applied).toMatchObject({ applied: 20, failed: 0 });
    }
    expect(written).toMatchObject({ people: 2 * 20, memberships: 0 });
  });

  test("one table: every promise with its measure, its limit and a verdict", () => {
    const limited = answer.rows.filter(({ limit }) => limit !== undefined);
    expect(limited.map(({ what, limit }) => [what.trim(), limit])).toEqual([
      ["(a) first sync", 6],
      ["(b) full sync, nothing changed", 1.5],
      ["rows of people, accounts, memberships written", 0],
      ["(c) incremental sync, 20 people changed", 0.15],
      ["(a) peak memory", 400],
      ["(a) growth from 50 people", 1.5],
      ["(b) peak memory", 400],
      ["(b) growth from 50 people", 1.5],
      ["(c) peak memory", 400],
      ["(c) growth from 50 people", 1.5],
    ]);
    for (const row of limited) expect(row.value).toEqual(expect.any(Number));
  });
});

describe("the table", () => {
  const rows: Row[] = [
    { what: "within", measured: "1.00 s", value: 0.5, limit: 1, unit: " × read" },
    { what: "beyond it", measured: "12.0 s", value: 7, limit: 6, unit: " × read" },
    { what: "for information", measured: "3 MB" },
  ];

  test("says ok or over, and nothing where there is no limit", () => {
    const lines = renderTable(rows).split("\n");
    expect(rows.map(isOver)).toEqual([false, true, false]);
    expect(lines[2]).toMatch(/ok$/);
    expect(lines[3]).toMatch(/over$/);
    expect(lines[4]).toMatch(/3 MB$/);
  });

  test("is aligned", () => {
    const [, , first, second] = renderTable(rows).split("\n");
    expect(first?.indexOf("≤")).toBe(second?.indexOf("≤"));
  });
});
