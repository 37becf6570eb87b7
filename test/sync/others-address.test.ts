import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { put, world } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { person, syncWorld, testConnection } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeEach(async () => {
  db = await testDatabase();
});
afterEach(() => db.drop());

const people = async () =>
  (
    await db.pool.query(
      "select user_name::text, email::text, attributes->'emails'->0->>'value' as said, attributes->>'title' as title from people order by user_name",
    )
  ).rows;
const sync = (connection: string, of: ReturnType<typeof world>) => syncWorld(db, ctx, { connection, world: of });

describe("P1: what an origin says of somebody whom another masters", () => {
  test("an address that the master gave to two stays with the first of them, whatever the other's further origins say", async () => {
    await testConnection(db, ctx, { name: "hr", precedence: 10 });
    await testConnection(db, ctx, { name: "cloud", precedence: 20 });
    await sync("hr", world([person("ada", { mail: "office@lab.test" })]));
    await sync("hr", world([person("ada", { mail: "office@lab.test" }), person("bob", { mail: "office@lab.test" })]));
    const [ada, bob] = [
      { user_name: "ada", email: "office@lab.test", said: "office@lab.test", title: null },
      { user_name: "bob", email: null, said: "office@lab.test", title: null },
    ];
    expect(await people()).toEqual([ada, bob]);
    const cloud = world([person("bob", { mail: "bob@cloud.test", title: "Warden" }), person("cyd")]);
    expect(await sync("cloud", cloud)).toMatchObject({ state: "done" });
    const cyd = { user_name: "cyd", email: "cyd@lab.test", said: "cyd@lab.test", title: null };
    expect(await people()).toEqual([ada, { ...bob, title: "Warden" }, cyd]);
    put(cloud, person("bob", { mail: "bob@cloud.test", title: "Keeper" }));
    expect(await sync("cloud", cloud)).toMatchObject({ state: "done" });
    expect(await people()).toEqual([ada, { ...bob, title: "Keeper" }, cyd]);
  });
});
