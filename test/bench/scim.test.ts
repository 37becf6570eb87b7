import { beforeAll, describe, expect, test } from "@jest/globals";
import { judgeAims, PROMISES, type Aim } from "../../bench/scim/aims.ts";
import { codeAt, directoryOf, userAt } from "../../bench/scim/directory.ts";
import { summarised, type Measured, type Timed } from "../../bench/scim/measure.ts";
import { OPERATIONS } from "../../bench/scim/operations/all.ts";
import { renderAims, renderMeasured } from "../../bench/scim/report.ts";
import type { SizeResult } from "../../bench/scim/run.ts";
import { runBench } from "./run-bench.ts";

describe("the SCIM benchmark, at a small size", () => {
  let answer: { aims: Aim[]; sizes: SizeResult[] };
  const resultOf = (server: string) => answer.sizes.at(-1)?.servers.find((each) => each.server === server);

  // More people than connections, or two would change one at once.
  beforeAll(async () => {
    answer = JSON.parse(await runBench(["scim", "--people", "20", "--seconds", "0.01", "--rounds", "1", "--json"])) as typeof answer;
  }, 300_000);

  test("every server answers everything that it is asked as the directory says", () => {
    for (const { servers } of answer.sizes) {
      expect(servers.map(({ server }) => server)).toEqual(["ours", "bare", "memory", "postgres"]);
      for (const { failed, measured } of servers) {
        expect(failed).toEqual([]);
        for (const { answers, checked } of measured) expect(Math.min(answers, checked)).toBeGreaterThan(0);
      }
    }
  });

  test("every operation is measured on ours, at each concurrency", () => {
    const measured = resultOf("ours")?.measured ?? [];
    const missing = new Set(resultOf("ours")?.missing);
    // In so small a directory the bigger groups are the smallest one.
    const expected = OPERATIONS.filter(({ key }) => !missing.has(key)).flatMap(({ turns, concurrency }) =>
      concurrency.flatMap((each) => turns.map((turn) => `${turn} ${each}`)),
    );
    expect(new Set(measured.map(({ turn, concurrency }) => `${turn} ${concurrency}`))).toEqual(new Set(expected));
    expect([...missing].filter((key) => !key.startsWith("member-"))).toEqual([]);
  });

  test("the bare handler is asked for one by id, scimmy-routers for all that it offers", () => {
    expect(new Set(resultOf("bare")?.measured.map(({ turn }) => turn))).toEqual(new Set(["GET one by id"]));
    for (const server of ["memory", "postgres"]) {
      const turns = new Set(resultOf(server)?.measured.map(({ turn }) => turn));
      for (const { turn } of PROMISES.filter((promise) => promise.server === "postgres" && !promise.turn.includes("10,000")))
        expect([...turns]).toContain(turn);
    }
  });

  test("memory is measured where the system tells it", () => {
    if (process.platform === "linux") expect(resultOf("ours")?.peakBytes).toBeGreaterThan(1 << 20);
  });
});

test("rounds are told together: a slow hour of the machine weighs as long as it lasted, and no more", () => {
  const round = (turn: string, { times, busy, slow = false }: Pick<Timed, "times" | "busy"> & { slow?: boolean }): Timed => ({
    turn,
    concurrency: 1,
    times,
    busy,
    checked: 1,
    slow,
  });
  const rounds = [
    round("PATCH", { times: [3, 1, 2], busy: 6 }),
    round("POST", { times: [4], busy: 4 }),
    round("PATCH", { times: [1500], busy: 1994, slow: true }),
  ];
  expect(summarised(rounds)).toEqual([
    { turn: "PATCH", concurrency: 1, answers: 4, rate: 2, p50: 3, p99: 1500, checked: 2, slow: true },
    { turn: "POST", concurrency: 1, answers: 1, rate: 250, p50: 4, p99: 4, checked: 1, slow: false },
  ]);
});

describe("what is promised", () => {
  const measured = (turn: string, rate: number, options: Partial<Measured> = {}): Measured => ({
    turn,
    concurrency: 16,
    answers: 10,
    rate,
    p50: 1,
    p99: 2,
    checked: 3,
    slow: false,
    ...options,
  });
  const size = (people: number, rate: number): SizeResult => ({
    people,
    servers: [
      {
        server: "ours",
        measured: [measured("GET one by id", rate), measured("page of 100, first", 500)],
        missing: [],
        failed: [],
        peakBytes: 200 * 1024 * 1024,
      },
      { server: "bare", measured: [measured("GET one by id", 1000)], missing: [], failed: [] },
      {
        server: "postgres",
        measured: [measured("GET one by id", 100), measured("page of 100, first", 0.5, { slow: true, concurrency: 1 })],
        missing: [],
        failed: [],
      },
    ],
  });

  test("is judged at the largest size, and beside the smallest", () => {
    const aims = judgeAims([size(10_000, 1000), size(100_000, 650)]);
    const said = aims.map(({ what, value, limit, met, remark }) => [what, value, limit, met, remark]);
    expect(said).toEqual([
      ["GET one by id", 0.65, 0.7, false, undefined],
      ["GET one by id", 6.5, 4, true, undefined],
      ["page of 100, first", 1000, 25, true, "they: few answers"],
      ["GET one by id, 16 at once", 0.65, 0.8, false, undefined],
      ["page of 100, first, 16 at once", 1, 0.8, true, undefined],
      ["peak memory under load", 200, 300, true, undefined],
    ]);
  });

  test("prints rates, few answers marked, and verdicts", () => {
    const sizes = [size(10_000, 1000), size(100_000, 650)];
    expect(renderMeasured(sizes)).toMatch(/page of 100, first +16 +500 \(1\.00, 2\.00\) +~0\.50/);
    expect(renderAims(judgeAims(sizes))).toMatch(/GET one by id +0\.65 +at least 0\.70 × bare +MISSED/);
    expect(renderAims(judgeAims(sizes))).toMatch(/2 of 6 aims are missed\.$/);
  });
});

describe("the directory that is measured", () => {
  const directory = directoryOf(2000);

  test("people are different ones, of the size that people are", () => {
    const users = Array.from({ length: directory.people }, (_, index) => userAt(directory.company, index));
    for (const name of ["userName", "externalId"]) expect(new Set(users.map((user) => user[name])).size).toBe(users.length);
    expect(new Set(users.map((_, index) => codeAt(index))).size).toBe(users.length);
    const bytes = users.map((user) => JSON.stringify(user).length);
    expect(Math.min(...bytes)).toBeGreaterThan(1000);
    expect(Math.max(...bytes)).toBeLessThan(1500);
  });
});
