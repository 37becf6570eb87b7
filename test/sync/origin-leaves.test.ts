import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createRole } from "../../src/access/roles.ts";
import { createRule } from "../../src/access/rules.ts";
import { inTransaction } from "../../src/db/database.ts";
import { createUnit } from "../../src/directory/units.ts";
import { letGoConnection } from "../../src/sync/remove-connection.ts";
import { handOverSilent } from "../../src/sync/silence.ts";
import { put, remove, world, type World } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { group, person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";

let db: TestDatabase;
let hours = 0;
const ctx = testContext({ now: () => new Date(Date.now() + hours * 3_600_000) });
beforeEach(async () => {
  hours = 0;
  db = await testDatabase();
});
afterEach(() => db.drop());

const people = async () =>
  (await db.pool.query("select user_name::text, state, attributes->>'title' as title from people order by user_name")).rows;
const sync = (connection: string, of: World, mode: "full" | "remap" = "full") => syncWorld(db, ctx, { connection, world: of, mode });
const work = <T>(doing: Parameters<typeof inTransaction<T>>[2]) => inTransaction(db, ctx, doing);
const handOver = () => work(handOverSilent);
const remapsWaiting = async () =>
  (await db.pool.query<{ key: string }>("select key from graphile_worker._private_jobs where key like 'sync:%:remap'")).rowCount;

/** HR masters titles and who is active; the cloud directory knows Ada too, Bob alone is HR's, and Cyd alone the cloud's. */
async function hrAndCloud(hrOptions: Parameters<typeof testConnection>[2] = {}): Promise<{ hr: World; cloud: World }> {
  await testConnection(db, ctx, { name: "hr", precedence: 10, ...hrOptions });
  await testConnection(db, ctx, { name: "cloud", precedence: 20 });
  const hr = world([
    person("ada", { title: "Professor", active: true }),
    person("bob", { title: "Clerk" }),
    group("staff", ["uid=ada", "uid=bob"]),
  ]);
  const cloud = world([
    person("ada", { title: "Engineer", active: true }),
    person("cyd", { title: "Chef" }),
    group("cooks", ["uid=ada", "uid=cyd"]),
  ]);
  await sync("hr", hr);
  await sync("cloud", cloud);
  return { hr, cloud };
}

describe("an origin that is removed", () => {
  test("A5, M3: takes along what rules gave because people came from it, and brings what they give for where they come from now", async () => {
    await hrAndCloud();
    await work(async (each) => {
      await createUnit(each, { name: "Lobby", code: "LOBBY" });
      for (const name of ["hr", "cloud"]) {
        await createRole(each, { key: name, name });
        await createRule(each, { name, condition: `person.origin == "${name}"`, role: name, unit: "LOBBY" });
      }
    });
    const given = async () =>
      (
        await db.pool.query<{ given: string }>(
          `select p.user_name || ' ' || r.key as given from grants g join people p on p.id = g.person_id join roles r on r.id = g.role_id
           where g.recorded_to is null and g.valid_to is null order by 1`,
        )
      ).rows.map((row) => row.given);
    expect(await given()).toEqual(["ada hr", "bob hr", "cyd cloud"]);
    await work((each) => letGoConnection(each, { keyRing: testKeyRing, name: "hr", preview: true }));
    expect(await given()).toEqual(["ada hr", "bob hr", "cyd cloud"]);
    await work((each) => letGoConnection(each, { keyRing: testKeyRing, name: "hr" }));
    expect(await given()).toEqual(["ada cloud", "cyd cloud"]);
  });

  test("hands over what it mastered; whom nobody else lists leaves; its groups go, those of others stay", async () => {
    const { cloud } = await hrAndCloud();
    const seen = { handedOver: 1, leaving: 1, disabled: 0, enabled: 0, groups: 1, units: 0 };
    const before = await people();
    expect(await work((each) => letGoConnection(each, { keyRing: testKeyRing, name: "hr", preview: true }))).toEqual(seen);
    expect(await people()).toEqual(before);
    // Nothing is mapped by it any more: that it can't be is no reason to keep it.
    await db.pool.query(
      `update connections set mapping = jsonb_set(mapping, '{user,attributes,title}', '"account.title +"') where name = 'hr'`,
    );
    expect(await work((each) => letGoConnection(each, { keyRing: testKeyRing, name: "hr" }))).toEqual(seen);
    expect(await people()).toEqual([
      { user_name: "ada", state: "active", title: "Engineer" },
      { user_name: "bob", state: "deactivated", title: "Clerk" },
      { user_name: "cyd", state: "active", title: "Chef" },
    ]);
    const { rows } = await db.pool.query(
      "select g.display_name::text, p.user_name::text from memberships m join groups g on g.id = m.group_id join people p on p.id = m.person_id where m.recorded_to is null and m.valid_to is null order by 1, 2",
    );
    expect(rows).toEqual([
      { display_name: "cooks", user_name: "ada" },
      { display_name: "cooks", user_name: "cyd" },
    ]);
    const left = await db.pool.query(
      `select (select count(*)::int from accounts where connection_id = 1) as accounts, (select count(*)::int from people where origin_id = 1) as origins,
         (select count(*)::int from people, jsonb_each(mastery) m where m.value = '1') as mastered, (select count(*)::int from connections where name = 'hr') as connections`,
    );
    expect(left.rows).toEqual([{ accounts: 0, origins: 0, mastered: 0, connections: 0 }]);
    // Bob comes to the cloud directory: that is where he is from now on.
    put(cloud, person("bob", { title: "Baker" }));
    await sync("cloud", cloud);
    expect((await people())[1]).toEqual({ user_name: "bob", state: "active", title: "Baker" });
  });

  test("the word on who is active goes over too, in both directions", async () => {
    const { hr, cloud } = await hrAndCloud();
    put(cloud, person("ada", { title: "Engineer", active: false }));
    await sync("cloud", cloud);
    expect((await people())[0]).toMatchObject({ state: "active" });
    put(hr, person("cyd", { title: "Cook", active: false }));
    await sync("hr", hr);
    expect((await people())[2]).toMatchObject({ state: "suspended" });
    const said = { handedOver: 2, disabled: 1, enabled: 1 };
    expect(await work((each) => letGoConnection(each, { keyRing: testKeyRing, name: "hr", preview: true }))).toMatchObject(said);
    expect((await people())[2]).toMatchObject({ state: "suspended" });
    expect(await work((each) => letGoConnection(each, { keyRing: testKeyRing, name: "hr" }))).toMatchObject(said);
    expect(await people()).toMatchObject([{ state: "suspended" }, { user_name: "bob" }, { user_name: "cyd", state: "active" }]);
  });

  test.each([
    ["suspend", "suspended"],
    ["ignore", "active"],
  ])("whom nobody else lists: %s", async (removed, state) => {
    await hrAndCloud({ mapping: { situations: { removed } } });
    await work((each) => letGoConnection(each, { keyRing: testKeyRing, name: "hr" }));
    expect((await people())[1]).toMatchObject({ user_name: "bob", state });
  });

  test("more leavers than its limits allow are refused, unless the very number is said", async () => {
    await hrAndCloud({ limits: { delete: { count: 0 } } });
    const before = await people();
    const attempt = (leaving?: number) => work((each) => letGoConnection(each, { keyRing: testKeyRing, name: "hr", leaving }));
    await expect(attempt()).rejects.toMatchObject({ code: "held", message: expect.stringContaining("--leaving 1") });
    await expect(attempt(2)).rejects.toMatchObject({ code: "held" });
    expect(await people()).toEqual(before);
    expect(await attempt(1)).toMatchObject({ leaving: 1 });
  });
});

describe("an origin that goes silent", () => {
  const silent = { policy: { silent: { afterHours: 48, reaction: "handOver" } } };
  /** A connection that is read: the tests hand over what it reads. */
  const isRead = () => db.pool.query("update connections set connector = 'csv' where name = 'hr'");

  test("hands over after the time its policy says, and masters again once it is read", async () => {
    const { hr, cloud } = await hrAndCloud(silent);
    await db.pool.query("update connections set enabled = false, updated_at = $1 where name = 'hr'", [ctx.now()]);
    hours = 47;
    expect(await handOver()).toEqual([]);
    hours = 49;
    expect(await handOver()).toEqual(["hr"]);
    expect(await handOver()).toEqual([]);
    expect(await remapsWaiting()).toBe(1);
    expect(await sync("cloud", cloud, "remap")).toMatchObject({ plan: { user: { update: 1 } } });
    expect(await people()).toEqual([
      { user_name: "ada", state: "active", title: "Engineer" },
      { user_name: "bob", state: "active", title: "Clerk" },
      { user_name: "cyd", state: "active", title: "Chef" },
    ]);
    // Its other origin decides alone now, also on leaving.
    remove(cloud, "user", "id-ada");
    await sync("cloud", cloud);
    expect((await people())[0]).toMatchObject({ state: "deactivated" });
    await sync("hr", hr);
    expect((await people())[0]).toEqual({ user_name: "ada", state: "active", title: "Professor" });
    put(cloud, person("ada", { title: "Architect" }));
    await sync("cloud", cloud);
    expect((await people())[0]).toMatchObject({ title: "Professor" });
    expect(await handOver()).toEqual([]);
  });

  test("what disables people in its place goes through the guards of who disables", async () => {
    await testConnection(db, ctx, { name: "hr", precedence: 10, ...silent });
    await testConnection(db, ctx, { name: "cloud", precedence: 20, limits: { disable: { count: 0 } } });
    await sync("hr", world([person("ada", { active: true })]));
    const cloud = world([person("ada", { active: false })]);
    await sync("cloud", cloud);
    await db.pool.query("update connections set enabled = false, updated_at = $1 where name = 'hr'", [ctx.now()]);
    hours = 49;
    await handOver();
    expect(await sync("cloud", cloud, "remap")).toMatchObject({ state: "held", guards: [{ guard: "disable" }] });
    expect(await people()).toMatchObject([{ state: "active" }]);
  });

  test("one that is read is silent when its reads fail for as long, whatever the reason; one whose policy keeps never is", async () => {
    const { hr } = await hrAndCloud(silent);
    await testConnection(db, ctx, { name: "keeps", policy: { silent: { afterHours: 48 } } });
    await isRead();
    hours = 47;
    await db.pool.query("update connections set connector = 'scim-inbound' where name = 'hr'");
    await sync("hr", hr);
    await isRead();
    await db.pool.query("update connections set connector = 'csv' where name = 'keeps'");
    hours = 90;
    expect(await handOver()).toEqual([]);
    hours = 96;
    expect(await handOver()).toEqual(["hr"]);
  });
});
