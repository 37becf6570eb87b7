import { expect, test } from "@jest/globals";
import { put, world } from "../helpers/memory-source.ts";
import { testContext, testDatabase } from "../helpers/database.ts";
import { group, person, syncWorld, testConnection } from "../helpers/sync.ts";

test("a group that is read before two groups swap their names holds whom it names, not who had the name", async () => {
  const db = await testDatabase();
  const ctx = testContext();
  try {
    await testConnection(db, ctx);
    const source = world([person("ada"), person("bob")]);
    source.pageSize = 1;
    const named = (id: string, cn: string, members: readonly string[]) => ({ ...group(cn, members), nativeId: id });
    put(source, named("above", "above", ["cn=admins"]));
    put(source, named("one", "admins", ["uid=ada"]));
    put(source, named("two", "guests", ["uid=bob"]));
    await syncWorld(db, ctx, { world: source });
    const nested = async () =>
      (
        await db.pool.query(
          "select a.native_id as id from nestings n join accounts a on a.group_id = n.child_group_id where n.recorded_to is null and n.valid_to is null",
        )
      ).rows;
    expect(await nested()).toEqual([{ id: "one" }]);
    put(source, named("above", "above", ["cn=guests"]));
    put(source, named("one", "guests", ["uid=ada"]));
    put(source, named("two", "admins", ["uid=bob"]));
    await syncWorld(db, ctx, { world: source });
    expect(await nested()).toEqual([{ id: "one" }]);
    put(source, named("above", "above", ["cn=guests", "uid=bob"]));
    put(source, named("one", "admins", ["uid=ada"]));
    put(source, named("two", "guests", ["uid=bob"]));
    await syncWorld(db, ctx, { world: source });
    expect(await nested()).toEqual([{ id: "two" }]);
  } finally {
    await db.drop();
  }
});
