import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { uuidArray } from "../../src/db/uuid-array.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

const read = async (ids: readonly string[]): Promise<string[]> =>
  (await db.pool.query<{ ids: string[] }>("select $1::uuid[]::text[] as ids", [uuidArray(ids)])).rows[0]?.ids ?? [];

test("ids come to the database as they are, in their order, none or a thousand", async () => {
  const many = Array.from({ length: 1000 }, () => randomUUID());
  const others = ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "01234567-89ab-cdef-8899-aabbccddeeff"];
  expect(await read([...others, ...many])).toEqual([...others, ...many]);
  expect(await read(others.map((id) => id.toUpperCase()))).toEqual(others);
  expect(await read([])).toEqual([]);
});

test.each(["", "01234567-89ab-cdef-8899-aabbccddeef", "0123456g-89ab-cdef-8899-aabbccddeeff", "0123456\u00e9-89ab-cdef-8899-aabbccddeeff"])(
  "what is no UUID is refused: %s",
  (text) => {
    expect(() => uuidArray([text])).toThrow("is no UUID");
  },
);
