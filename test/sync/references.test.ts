import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { addConnection } from "../../src/connections/store.ts";
import { inTransaction } from "../../src/db/database.ts";
import { createUnit } from "../../src/directory/units.ts";
import { settleLateArrivals } from "../../src/sync/apply/late-arrivals.ts";
import { put, remove, world } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { person, syncWorld, testConnection, testKeyRing, unit } from "../helpers/sync.ts";

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
const unitsOf = async (name: string) =>
  (
    await db.pool.query<{ code: string }>(
      "select u.code::text as code from people p join person_units pu on pu.person_id = p.id and pu.recorded_to is null and pu.valid_to is null join units u on u.id = pu.unit_id where p.user_name = $1 order by 1",
      [name],
    )
  ).rows.map(({ code }) => code);

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

describe("units of people", () => {
  test("M3: a unit that is named by its code is waited for, whoever brings it", async () => {
    await testConnection(db, ctx, { name: "cloud" });
    await testConnection(db, ctx, { name: "hr" });
    const cloud = world([person("ada", { units: ["Lab", "Law"] })]);
    await syncWorld(db, ctx, { connection: "cloud", world: cloud });
    await syncWorld(db, ctx, { connection: "hr", world: world([unit("Lab"), person("hal")]) });
    expect(await unitsOf("ada")).toEqual(["Lab"]);
    // Its own, which people name by their code.
    put(cloud, unit("Law"));
    await syncWorld(db, ctx, { connection: "cloud", world: cloud });
    expect(await unitsOf("ada")).toEqual(["Lab", "Law"]);
  });

  test("invariant 3: a unit and somebody who waits for it by its code, applied side by side, come together whichever ends last", async () => {
    for (const name of ["cloud", "hr"]) await testConnection(db, ctx, { name });
    const idOf = async (name: string) =>
      (await db.pool.query<{ id: number }>("select id from connections where name = $1", [name])).rows[0]?.id ?? 0;
    await syncWorld(db, ctx, { connection: "cloud", world: world([person("ada", { units: ["Lab"] }), person("bob", { units: ["Law"] })]) });
    const hr = await idOf("hr");
    // Neither saw the other: what each does at its end is all that is left.
    await inTransaction(db, ctx, (work) => createUnit(work, { name: "Lab", code: "Lab", originId: hr }));
    await inTransaction(db, ctx, (work) => settleLateArrivals(work, { connectionId: hr, since: new Date(0) }));
    expect(await unitsOf("ada")).toEqual(["Lab"]);
    await inTransaction(db, ctx, (work) => createUnit(work, { name: "Law", code: "Law", originId: hr }));
    const cloud = await idOf("cloud");
    await inTransaction(db, ctx, (work) => settleLateArrivals(work, { connectionId: cloud, since: new Date(0) }));
    expect(await unitsOf("bob")).toEqual(["Law"]);
  });

  const mapped = (attributes: Record<string, string>) =>
    inTransaction(db, ctx, (work) =>
      addConnection(work, {
        keyRing: testKeyRing,
        replace: true,
        definition: {
          name: "corp",
          connector: "scim-inbound",
          mapping: { user: { attributes: { userName: "account.uid", ...attributes } } },
        },
      }),
    );

  test("M3: whom an expression names no unit for any more is in none", async () => {
    await mapped({ units: "account.unit" });
    await inTransaction(db, ctx, (work) => createUnit(work, { name: "Lab", code: "Lab" }));
    const source = world([person("ada", { unit: "Lab" })]);
    await syncWorld(db, ctx, { world: source });
    expect(await unitsOf("ada")).toEqual(["Lab"]);
    put(source, person("ada"));
    await syncWorld(db, ctx, { world: source });
    expect(await unitsOf("ada")).toEqual([]);
  });

  test("M3: a mapping that says nothing of units any more leaves nobody in those that it put them into", async () => {
    await mapped({ units: "account.unit" });
    await inTransaction(db, ctx, (work) => createUnit(work, { name: "Lab", code: "Lab" }));
    const source = world([person("ada", { unit: "Lab" })]);
    await syncWorld(db, ctx, { world: source });
    await mapped({});
    await syncWorld(db, ctx, { world: source });
    expect(await unitsOf("ada")).toEqual([]);
  });
});
