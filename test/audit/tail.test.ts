import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { followEvents } from "../../src/audit/tail.ts";
import type { Sql } from "../../src/db/database.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

const record = (sql: Sql, name: string, count = 1) =>
  sql.query(
    "insert into audit_events (at, name, actor, correlation_id, data) select now(), $1 || n, 'system', gen_random_uuid(), '{}' from generate_series(1, $2::int) n",
    [name, count],
  );

/** What is told when this happens between the looks, one after the other. */
async function followed(limit: number, happenings: readonly (() => Promise<unknown>)[]): Promise<string[]> {
  const [told, left] = [[] as string[], [...happenings]];
  const again = async () => {
    const next = left.shift();
    await next?.();
    return next !== undefined;
  };
  await followEvents(db.pool, { limit, again, onEvent: ({ name }) => told.push(name) });
  return told;
}

describe("W1: following the audit trail", () => {
  test("begins with the newest, and tells all that come between two looks", async () => {
    await db.pool.query("truncate audit_events");
    await record(db.pool, "before.", 3);
    const told = await followed(2, [() => record(db.pool, "many.", 2500), () => record(db.pool, "last.")]);
    expect(told).toEqual(["before.2", "before.3", ...Array.from({ length: 2500 }, (_, index) => `many.${index + 1}`), "last.1"]);
  });

  test("tells what was numbered earlier and ends later, and nothing twice", async () => {
    await db.pool.query("truncate audit_events");
    const slow = await db.pool.connect();
    try {
      await slow.query("begin");
      const told = await followed(10, [
        () => record(slow, "slow."),
        () => record(db.pool, "quick."),
        () => slow.query("commit"),
        ...Array.from({ length: 15 }, (_, index) => () => record(db.pool, `then${index}.`)),
      ]);
      expect(told).toEqual(["quick.1", "slow.1", ...Array.from({ length: 15 }, (_, index) => `then${index}.1`)]);
    } finally {
      slow.release();
    }
  });

  test("tells what was numbered before the newest that it begins with, and what ends long after", async () => {
    await db.pool.query("truncate audit_events");
    const [slow, slower] = [await db.pool.connect(), await db.pool.connect()];
    try {
      await slow.query("begin");
      await record(slow, "slow.");
      await record(db.pool, "before.", 3);
      await slower.query("begin");
      const told = await followed(1, [
        () => slow.query("commit"),
        () => record(slower, "slower."),
        ...Array.from({ length: 30 }, (_, index) => () => record(db.pool, `then${index}.`)),
        () => slower.query("commit"),
      ]);
      expect(told.slice(0, 2)).toEqual(["before.3", "slow.1"]);
      expect(told.slice(2)).toEqual([...Array.from({ length: 30 }, (_, index) => `then${index}.1`), "slower.1"]);
    } finally {
      slow.release();
      slower.release();
    }
  });
});
