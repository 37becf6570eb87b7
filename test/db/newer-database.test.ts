import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { migrate } from "../../src/db/migrate.ts";
import { migratedByNewer } from "../../src/db/newer-database.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";

let db: TestDatabase;

beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db?.drop());

test("a version that is older than the database says so, and goes on: nodes may be upgraded one by one", async () => {
  expect(await migratedByNewer(db.pool)).toBeUndefined();
  await db.pool.query(
    "insert into _prisma_migrations (id, checksum, finished_at, migration_name) select n, 'x', now(), n || '_from_later' from unnest(array['99990101000000', '99990102000000']) n",
  );
  expect(await migrate(db.url)).toEqual([]);
  expect(await migratedByNewer(db.pool)).toMatch(
    /^A later version .*: 2 migrations that this version does not know, 99990102000000_from_later last\. /,
  );
});
