import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { put, remove, world } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { group, person, syncWorld, testConnection } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeEach(async () => {
  db = await testDatabase();
});
afterEach(() => db.drop());

const people = async () => (await db.pool.query("select id, user_name::text, state from people order by user_name")).rows;
const members = async () =>
  (await db.pool.query("select person_id from memberships where recorded_to is null and valid_to is null")).rows.map(
    (row) => row.person_id,
  );
const remaps = async () =>
  (await db.pool.query<{ key: string }>("select key from graphile_worker._private_jobs where key like 'sync:%:remap'")).rowCount;

test("whoever is deleted at the source and made anew between two reads is the same person, with their groups, at once", async () => {
  await testConnection(db, ctx);
  const source = world([person("ada"), person("bob"), group("staff", ["uid=ada"])]);
  await syncWorld(db, ctx, { world: source });
  const before = await people();
  remove(source, "user", "id-ada");
  put(source, { ...person("ada"), nativeId: "anew" });
  await syncWorld(db, ctx, { world: source });
  expect(await remaps()).toBe(1);
  await syncWorld(db, ctx, { world: source, mode: "remap" });
  expect(await people()).toEqual(before);
  expect(await members()).toEqual([before[0].id]);
});

test("whose other account stays is left to a human, and nothing is decided anew for it", async () => {
  await testConnection(db, ctx);
  const source = world([person("ada"), person("bob")]);
  await syncWorld(db, ctx, { world: source });
  remove(source, "user", "id-bob");
  put(source, { ...person("ada"), nativeId: "second" });
  await syncWorld(db, ctx, { world: source });
  expect(await remaps()).toBe(0);
});
