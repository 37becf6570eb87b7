import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { put, remove, world } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { person, syncWorld, testConnection } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeEach(async () => {
  db = await testDatabase();
});
afterEach(() => db.drop());

const managerOf = async (name: string) =>
  (
    await db.pool.query<{ manager: string | null }>(
      "select m.user_name::text as manager from people p left join people m on m.id = p.manager_id where p.user_name = $1",
      [name],
    )
  ).rows[0]?.manager;
describe("a manager who is waited for", () => {
  test("M3: is waited for no more once a stronger origin names another", async () => {
    await testConnection(db, ctx, { name: "hr", precedence: 10 });
    await testConnection(db, ctx, { name: "badge", precedence: 20 });
    const badge = world([person("ada", { manager: "uid=bob" })]);
    const hr = world([person("ada", { manager: "uid=cyd" }), person("cyd")]);
    await syncWorld(db, ctx, { connection: "badge", world: badge });
    await syncWorld(db, ctx, { connection: "hr", world: hr });
    expect(await managerOf("ada")).toBe("cyd");
    put(badge, person("bob"));
    await syncWorld(db, ctx, { connection: "badge", world: badge });
    expect(await managerOf("ada")).toBe("cyd");
  });

  test("M3: is waited for still when the origin leaves that did not name them", async () => {
    await testConnection(db, ctx, { name: "hr", precedence: 10 });
    await testConnection(db, ctx, { name: "badge", precedence: 20 });
    const hr = world([person("ada", { manager: "uid=cyd" }), person("cyd")]);
    const badge = world([person("ada", { manager: "uid=bob" }), person("zoe")]);
    await syncWorld(db, ctx, { connection: "hr", world: hr });
    await syncWorld(db, ctx, { connection: "badge", world: badge });
    remove(hr, "user", "id-ada");
    await syncWorld(db, ctx, { connection: "hr", world: hr });
    expect(await managerOf("ada")).toBeNull();
    put(badge, person("bob"));
    await syncWorld(db, ctx, { connection: "badge", world: badge });
    expect(await managerOf("ada")).toBe("bob");
  });
});
