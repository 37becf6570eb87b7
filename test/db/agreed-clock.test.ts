import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { clockProblem, requireAgreedClock, waitIfBehind } from "../../src/db/agreed-clock.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db?.drop());

const off = (seconds: number) => () => new Date(Date.now() + seconds * 1000);

test("a node does not start while its clock is far from the database's: who leaves by it would stay in on all others", async () => {
  await requireAgreedClock(db.pool, off(0));
  await requireAgreedClock(db.pool, off(240));
  await expect(requireAgreedClock(db.pool, off(3600))).rejects.toMatchObject({ code: "misconfigured" });
  await expect(requireAgreedClock(db.pool, off(3600))).rejects.toThrow(/ s ahead of the database's/);
  await expect(requireAgreedClock(db.pool, off(-3600))).rejects.toThrow(/ s behind the database's/);
});

test("a database that is slow to answer does not make the clock wrong", async () => {
  const times = [0, 3600].map((seconds) => off(seconds - 1800)());
  expect(await clockProblem(db.pool, () => times.shift() ?? new Date())).toBeUndefined();
});

test("who is behind the database waits before looking for what is due, and nobody else does", async () => {
  const waits = async (seconds: number) => {
    try {
      await waitIfBehind(db.pool, { now: off(seconds), signal: AbortSignal.abort() });
      return false;
    } catch (error) {
      if (error instanceof Error && error.name === "AbortError") return true;
      throw error;
    }
  };
  expect([await waits(-120), await waits(-3600), await waits(0), await waits(120)]).toEqual([true, false, false, false]);
});
