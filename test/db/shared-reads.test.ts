import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createSharedReads, arePlain, type SharedRead } from "../../src/db/shared-reads.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

const DOUBLED: Omit<SharedRead, "values"> = {
  name: "doubled",
  text: "select n * 2 as doubled, $2::text as word, $3::bytea as bytes, $4::boolean as flag from generate_series(1, $1::int) n order by n desc limit $5::bigint",
};

describe("reads of one form", () => {
  test("each gets its own rows, in its own order, whoever else asks at that moment", async () => {
    let trips = 0;
    const reads = createSharedReads({
      query: ((...given: unknown[]) => {
        trips += 1;
        return (db.pool.query as (...all: unknown[]) => unknown)(...given);
      }) as typeof db.pool.query,
    });
    const asked = Array.from({ length: 200 }, (_, at) => ({
      count: at % 7,
      word: at % 5 ? `ą"'\\,{}${at}` : null,
      bytes: Buffer.from([at % 256, 0, 92, 255]),
      flag: at % 2 === 0,
    }));
    const answers = await Promise.all(
      asked.map(({ count, word, bytes, flag }) => reads.query({ ...DOUBLED, values: [count, word, bytes, flag, 5] })),
    );
    answers.forEach((rows, at) => {
      const { count, word, bytes, flag } = asked[at] ?? { count: 0, word: "", bytes: Buffer.alloc(0), flag: false };
      const expected = Array.from({ length: count }, (_, n) => ({ doubled: (count - n) * 2, word, bytes, flag })).slice(0, 5);
      expect(rows).toEqual(expected);
    });
    expect(trips).toBeLessThan(20);
  });

  test("one that fails does so alone", async () => {
    const text = "select 10 / $1::int as result";
    const asked = [1, 0, 2, 5, 0, 10];
    const answers = await Promise.allSettled(asked.map((value) => db.sharedReads.query<{ result: number }>({ text, values: [value] })));
    expect(answers.map((one) => (one.status === "fulfilled" ? one.value[0]?.result : String(one.reason.code)))).toEqual([
      10,
      "22012",
      5,
      2,
      "22012",
      1,
    ]);
  });

  test("each sees what was committed before it asked", async () => {
    await db.pool.query("create table counted (n int)");
    for (let n = 1; n <= 30; n += 1) {
      const before = Array.from({ length: 8 }, () =>
        db.sharedReads.query({ text: "select count(*)::int as n from counted where n > $1::int", values: [0] }),
      );
      await db.pool.query("insert into counted values ($1)", [n]);
      const [after] = await db.sharedReads.query<{ n: number }>({
        text: "select count(*)::int as n from counted where n > $1::int",
        values: [0],
      });
      expect(after?.n).toBe(n);
      await Promise.all(before);
    }
  });

  test("one that takes long does not hold up those that come after it", async () => {
    const holder = await db.pool.connect();
    try {
      await holder.query("begin");
      await holder.query("select pg_advisory_xact_lock(71)");
      const text = "select pg_advisory_xact_lock_shared($1::bigint)::text as held, $1::int as key";
      let isSlowDone = false;
      const slow = db.sharedReads.query<{ key: number }>({ text, values: [71] }).finally(() => (isSlowDone = true));
      const [quick] = await db.sharedReads.query<{ key: number }>({ text, values: [72] });
      expect(quick?.key).toBe(72);
      expect(isSlowDone).toBe(false);
      await holder.query("commit");
      expect((await slow)[0]?.key).toBe(71);
    } finally {
      holder.release();
    }
  });

  test("lists and objects are no plain values", () => {
    expect(arePlain([1, "a", null, true, Buffer.alloc(1)])).toBe(true);
    expect(arePlain([["a"]])).toBe(false);
    expect(arePlain([{}])).toBe(false);
  });
});
