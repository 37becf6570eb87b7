import { beforeAll, describe, expect, test } from "@jest/globals";
import { isOver, type Row } from "../../bench/table.ts";
import { runBench } from "./run-bench.ts";

interface Run {
  requests: number;
  peakBytes: number;
  result: { mode: string; read: Record<string, { read: number; changed: number; problems: number }>; applied: Record<string, number> };
  written: Record<string, number>;
}

interface Measured {
  kind: string;
  alwaysFull: boolean;
  read: { records: number; members: number; requests: number };
  first: Run;
  unchanged: Run;
  nothingNew?: Run;
  incremental: Run;
}

const PEOPLE = 200;
// One that has increments and one that is read in full each time: the others are the same code around another client.
const KINDS = ["okta", "csv"];
const CHANGED = 2;

describe("the benchmark of the directories", () => {
  let answer: { rows: Row[]; measured: { large: Measured }[] };

  beforeAll(async () => {
    const options = ["directories", "--kinds", KINDS.join(","), "--people", String(PEOPLE), "--repeat", "1", "--no-growth", "--json"];
    answer = JSON.parse(await runBench(options));
  }, 600_000);

  const all = () => answer.measured.map(({ large }) => large);
  const read = ({ result }: Run) => Object.values(result.read).reduce((sum, kind) => sum + kind.read, 0);

  test("measures the kinds that are asked for; the bare client and the first sync see the same company", () => {
    expect(all().map(({ kind }) => kind)).toEqual(KINDS);
    for (const { read: bare, first } of all()) {
      expect(first.result.read["user"]).toMatchObject({ read: PEOPLE, problems: 0 });
      expect(first.result.applied).toMatchObject({ applied: read(first), failed: 0 });
      expect(first.written["memberships"]).toBeGreaterThan(bare.members / 2);
      expect(bare.records).toBeGreaterThanOrEqual(PEOPLE);
      expect(read(first)).toBeGreaterThanOrEqual(bare.records);
    }
  });

  test("with nothing changed a full sync reads all of it and writes no row of people, accounts or memberships", () => {
    for (const { first, unchanged } of all()) {
      expect(read(unchanged)).toBe(read(first));
      expect(unchanged.result.read["user"]).toMatchObject({ changed: 0 });
      expect(unchanged.written).toEqual({ people: 0, accounts: 0, memberships: 0 });
    }
  });

  test("who changed is found, and nobody else; increments ask for no more than a full read", () => {
    for (const { alwaysFull, unchanged, nothingNew, incremental } of all()) {
      expect(incremental.result.read["user"]).toMatchObject({ changed: CHANGED, problems: 0 });
      expect(incremental.result.mode).toBe(alwaysFull ? "full" : "incremental");
      if (nothingNew === undefined) continue;
      expect(nothingNew.written).toEqual({ people: 0, accounts: 0, memberships: 0 });
      expect(nothingNew.requests).toBeLessThanOrEqual(unchanged.requests);
    }
  });

  test("one table: a ratio to the bare read for every run, and a limit for memory", () => {
    const ratios = answer.rows.filter(({ unit }) => unit === " × read");
    expect(ratios).toHaveLength(4 + 3);
    for (const { value } of ratios) expect(value).toEqual(expect.any(Number));
    const limited = answer.rows.filter(({ limit }) => limit !== undefined);
    expect(limited).toHaveLength(2 * 3);
    expect(limited.filter(isOver)).toEqual([]);
  });
});
