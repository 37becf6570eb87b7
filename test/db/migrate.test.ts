import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { migrate } from "../../src/db/migrate.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";

describe("migrate", () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await testDatabase();
  });
  afterAll(() => db.drop());

  test("a migrated database needs nothing more, whoever asks at once", async () => {
    expect(await Promise.all([migrate(db.url), migrate(db.url), migrate(db.url)])).toEqual([[], [], []]);
  });

  test("one process migrates one database after another", async () => {
    for (const name of ["first", "second"].map((each) => `${new URL(db.url).pathname.slice(1)}_${each}`)) {
      await db.pool.query(`create database ${name}`);
      try {
        const url = new URL(db.url);
        url.pathname = name;
        expect(await migrate(url.href)).not.toEqual([]);
      } finally {
        await db.pool.query(`drop database ${name} with (force)`);
      }
    }
  });

  test("Prisma and raw SQL share the pool", async () => {
    await db.pool.query("insert into units (id, name, created_at, modified_at) values (gen_random_uuid(), 'Head office', now(), now())");
    expect(await db.prisma.unit.findMany({ select: { name: true } })).toEqual([{ name: "Head office" }]);
  });
});
