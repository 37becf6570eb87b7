import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { put, world } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { group, person, syncWorld, testConnection, unit } from "../helpers/sync.ts";

const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/** Nothing that compression makes short. */
const long = randomBytes(3000).toString("base64");

let db: TestDatabase;
const ctx = testContext();
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

describe("invariant 4: what no index takes stops its own record alone", () => {
  test.each([
    ["a login", { uid: long }],
    ["a name", { cn: long }],
    ["an address", { mail: long }],
    ["a number", { number: long }],
    ["what the source itself calls userName", { userName: long }],
    ["what the source itself calls externalId", { externalId: long }],
    ["whom it names as its manager", { manager: long }],
    ["where it belongs", { units: [long] }],
    ["a manager", { [ENTERPRISE]: { manager: { value: long } } }],
  ])("of a person: %s", async (title, attributes) => {
    const name = title.replaceAll(/[^a-z]+/gi, "-").toLowerCase();
    await testConnection(db, ctx, { name });
    const before = person(`second-${name}`);
    const source = world([person(`first-${name}`), before, person(`third-${name}`)]);
    await syncWorld(db, ctx, { world: source, connection: name });
    put(source, { ...before, attributes: { ...before.attributes, ...attributes } });
    put(source, person(`fourth-${name}`));
    const summary = await syncWorld(db, ctx, { world: source, connection: name });
    expect(summary).toMatchObject({ state: "done", applied: { applied: 1, failed: 0 }, read: { user: { problems: 1 } } });
    const { rows } = await db.pool.query("select user_name, state from people where user_name like $1 order by 1", [`%-${name}`]);
    expect(rows).toEqual(["first", "fourth", "second", "third"].map((each) => ({ user_name: `${each}-${name}`, state: "active" })));
  });

  test("what stands in no index may be long", async () => {
    await testConnection(db, ctx, { name: "wordy" });
    const source = world([person("wordy", { name: long, code: long, email: long, description: long })]);
    const summary = await syncWorld(db, ctx, { world: source, connection: "wordy" });
    expect(summary).toMatchObject({ applied: { applied: 1, failed: 0 }, read: { user: { problems: 0 } } });
  });

  test("of groups and units: references to others", async () => {
    await testConnection(db, ctx, { name: "references" });
    const source = world([unit("attic"), unit("cellar", long), group("choir", []), group("crew", [long])]);
    const summary = await syncWorld(db, ctx, { world: source, connection: "references" });
    const one = { read: 2, problems: 1 };
    expect(summary).toMatchObject({ state: "done", applied: { applied: 2, failed: 0 }, read: { unit: one, group: one } });
  });

  test("of groups and units, and their ids", async () => {
    await testConnection(db, ctx, { name: "collections" });
    const source = world([unit("hq"), unit(long), group("staff", []), group(long, []), person(`id ${long}`, { uid: "short" })]);
    const summary = await syncWorld(db, ctx, { world: source, connection: "collections" });
    const one = { read: 2, problems: 1 };
    expect(summary).toMatchObject({
      state: "done",
      applied: { applied: 2, failed: 0 },
      read: { unit: one, group: one, user: { problems: 1 } },
    });
  });
});
