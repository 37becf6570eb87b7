import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { costsAt, createCostsInUse, type CostsCounted } from "../../../src/auth/passwords/costs-in-use.ts";
import { hashPassword } from "../../../src/auth/passwords/hash.ts";
import { createTurns } from "../../../src/auth/passwords/turns.ts";
import { testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { keyRing } from "../../http/scim/door.ts";

const usual = { memoryKiB: 128, passes: 1, lanes: 1 };
const earlier = { memoryKiB: 64, passes: 2, lanes: 1 };

describe("what it costs to look for nobody", () => {
  let db: TestDatabase;
  beforeAll(async () => (db = await testDatabase()));
  afterAll(() => db.drop());

  async function keep(costs: typeof usual, people: number): Promise<void> {
    const hash = await hashPassword("four quiet otters juggle", costs);
    for (let each = 0; each < people; each += 1) {
      const id = randomUUID();
      await db.pool.query("insert into people (id, user_name, attributes, created_at, modified_at) values ($1, $2, '{}', now(), now())", [
        id,
        id,
      ]);
      await db.pool.query("insert into passwords (person_id, hash, set_at) values ($1, $2, now())", [id, hash]);
    }
  }

  test("G2: after the costs were changed, names of nobody cost what those of the people do, the same name the same each time", async () => {
    let now = new Date();
    const costs = createCostsInUse({ sql: db.pool, keyRing, usual, now: () => now });
    expect(await costs.ofNobody("ada")).toEqual(usual);
    await keep(earlier, 30);
    await keep(usual, 10);
    now = new Date(now.getTime() + 10 * 60_000);
    const names = Array.from({ length: 2000 }, (_, at) => `name-${at}@example.com`);
    const drawn = await Promise.all(names.map((name) => costs.ofNobody(name)));
    const share = drawn.filter(({ memoryKiB }) => memoryKiB === earlier.memoryKiB).length / names.length;
    // Of 2000 draws at three in four, one test in a million is off by more than 5 in a hundred.
    expect(Math.abs(share - 0.75)).toBeLessThan(0.05);
    expect(await Promise.all(names.map((name) => costs.ofNobody(name.toUpperCase())))).toEqual(drawn);
    await db.pool.query("update passwords set hash = (select hash from passwords where hash like '%m=128,%' limit 1)");
    now = new Date(now.getTime() + 10 * 60_000);
    expect(new Set((await Promise.all(names.map((name) => costs.ofNobody(name)))).map(({ memoryKiB }) => memoryKiB))).toEqual(
      new Set([128]),
    );
  });

  test("as hashes are made anew, a name goes over to today's costs at most once", () => {
    fc.assert(
      fc.property(fc.nat(50), fc.nat(50), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (old, made, share) => {
        const counted = (left: number): CostsCounted => [
          { costs: earlier, count: left },
          { costs: usual, count: old + made - left },
        ];
        const way = Array.from({ length: old + 1 }, (_, done) => costsAt(counted(old - done), { share, usual }) === usual);
        expect(way.indexOf(true) === -1 || way.slice(way.indexOf(true)).every(Boolean)).toBe(true);
        expect(way.at(-1)).toBe(true);
      }),
    );
  });
});

describe("turns", () => {
  /** Work that goes on until it is let go. */
  function held() {
    let done: () => void = () => undefined;
    const over = new Promise<void>((resolve) => (done = resolve));
    return { over, done: () => done() };
  }

  test("so many at once, others in line in their order, and who would be beyond it is sent away", async () => {
    const turns = createTurns({ atOnce: 2, waiting: 2 });
    const pieces = [held(), held(), held(), held()];
    const begun: number[] = [];
    const taken = pieces.map(({ over }, at) =>
      turns.take(async () => {
        begun.push(at);
        await over;
        return at;
      }),
    );
    await expect(turns.take(async () => undefined)).rejects.toMatchObject({ code: "unavailable", retryAfter: expect.any(Number) });
    expect(begun).toEqual([0, 1]);
    pieces[1]?.done();
    await taken[1];
    await new Promise((soon) => setImmediate(soon));
    expect(begun).toEqual([0, 1, 2]);
    for (const piece of pieces) piece.done();
    expect(await Promise.all(taken)).toEqual([0, 1, 2, 3]);
  });

  test("whatever fails, no turn is lost", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(fc.boolean(), { maxLength: 30 }), async (atOnce, fails) => {
        const turns = createTurns({ atOnce, waiting: fails.length });
        let [going, most] = [0, 0];
        const ends = await Promise.allSettled(
          fails.map((fail) =>
            turns.take(async () => {
              most = Math.max(most, (going += 1));
              await new Promise((soon) => setImmediate(soon));
              going -= 1;
              if (fail) throw new Error("meant");
            }),
          ),
        );
        expect(ends.map(({ status }) => status === "rejected")).toEqual(fails);
        expect(most).toBeLessThanOrEqual(atOnce);
        await Promise.all(Array.from({ length: atOnce }, () => turns.take(async () => undefined)));
      }),
      { numRuns: 30 },
    );
  });
});
