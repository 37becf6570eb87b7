import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { ensureScimConnection } from "../../src/connections/builtin.ts";
import { loadConnection } from "../../src/connections/open.ts";
import { inTransaction } from "../../src/db/database.ts";
import { syncOne, type OneRecord } from "../../src/sync/one.ts";
import { world } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { group, person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeEach(async () => {
  db = await testDatabase();
  await inTransaction(db, ctx, ensureScimConnection);
});
afterEach(() => db.drop());

const ask = (record: OneRecord, ifVersion?: number) =>
  inTransaction(db, ctx, async (work) =>
    syncOne(work, { connection: await loadConnection(work.sql, testKeyRing, "scim"), keyRing: testKeyRing, record, ifVersion }),
  );
const user = (userName: string, more = {}) => ({
  userName,
  emails: [{ value: `${userName}@x.test`, primary: true }],
  active: true,
  ...more,
});
const stateOf = async (userName: string) =>
  (await db.pool.query("select state, version, attributes from people where user_name = $1", [userName])).rows[0];

describe("M1: one record through the same stages", () => {
  test("create, change, no change, deactivate, activate, delete", async () => {
    const created = await ask({ kind: "user", resource: user("ada", { title: "Engineer" }) });
    expect(created).toMatchObject({ created: true, version: 1 });
    expect(await ask({ kind: "user", id: created.id, resource: user("ada", { title: "Lead" }) })).toEqual({
      id: created.id,
      created: false,
      version: 2,
    });
    expect(await ask({ kind: "user", id: created.id, resource: user("ada", { title: "Lead" }) })).toEqual({
      id: created.id,
      created: false,
      version: 2,
    });
    await ask({ kind: "user", id: created.id, resource: user("ada", { title: "Lead", active: false }) });
    expect(await stateOf("ada")).toMatchObject({ state: "suspended" });
    await ask({ kind: "user", id: created.id, resource: user("ada", { title: "Lead" }) });
    expect(await stateOf("ada")).toMatchObject({ state: "active" });
    await ask({ kind: "user", id: created.id, resource: user("ada"), deleted: true });
    expect(await stateOf("ada")).toMatchObject({ state: "deactivated" });
    expect(await ask({ kind: "user", resource: user("ada") })).toMatchObject({ id: created.id, created: false });
    expect(await stateOf("ada")).toMatchObject({ state: "active" });
  });

  test("a second resource with the same login name is a conflict", async () => {
    await ask({ kind: "user", resource: user("ada") });
    await expect(ask({ kind: "user", resource: user("ADA") })).rejects.toMatchObject({ code: "conflict", scimType: "uniqueness" });
  });

  test("no lost update: a version that has moved on is refused", async () => {
    const { id } = await ask({ kind: "user", resource: user("ada") });
    await ask({ kind: "user", id, resource: user("ada", { title: "A" }) }, 1);
    await expect(ask({ kind: "user", id, resource: user("ada", { title: "B" }) }, 1)).rejects.toMatchObject({
      code: "precondition_failed",
    });
  });

  test("a client becomes one more origin of somebody whom LDAP made; the stronger origin keeps its attributes", async () => {
    await testConnection(db, ctx, { precedence: 10 });
    await syncWorld(db, ctx, { world: world([person("ada", { title: "Engineer" })]) });
    const joined = await ask({ kind: "user", resource: { ...user("ada"), title: "Boss", nickName: "A" } });
    expect(joined.created).toBe(false);
    expect((await stateOf("ada")).attributes).toMatchObject({ title: "Engineer", nickName: "A" });
    await ask({ kind: "user", id: joined.id, resource: user("ada"), deleted: true });
    expect(await stateOf("ada")).toMatchObject({ state: "active" });
  });

  test("groups: members by add, remove and set, and nested ones; another origin's group keeps its name", async () => {
    const people = await Promise.all(["ada", "bob", "cyd"].map(async (name) => (await ask({ kind: "user", resource: user(name) })).id));
    const [ada = "", bob = "", cyd = ""] = people;
    const { id } = await ask({ kind: "group", resource: { displayName: "Staff" }, members: { set: [ada, bob] } });
    await ask({ kind: "group", id, resource: { displayName: "Staff" }, members: { add: [cyd, cyd], remove: [bob] } });
    const members = async () =>
      (
        await db.pool.query(
          "select p.user_name from memberships m join people p on p.id = m.person_id where m.group_id = $1 and m.recorded_to is null and m.valid_to is null order by 1",
          [id],
        )
      ).rows.map((row) => row.user_name);
    expect(await members()).toEqual(["ada", "cyd"]);
    await ask({ kind: "group", id, resource: { displayName: "Staff" }, members: { set: [] } });
    expect(await members()).toEqual([]);
    await expect(
      ask({ kind: "group", id, resource: { displayName: "Staff" }, members: { add: ["nobody"], remove: [] } }),
    ).rejects.toMatchObject({ code: "invalid" });

    await testConnection(db, ctx);
    await syncWorld(db, ctx, { world: world([group("ldap", [])]) });
    const { rows } = await db.pool.query("select id from groups where display_name = 'ldap'");
    await ask({ kind: "group", id: rows[0].id, resource: { displayName: "Mine now" }, members: { add: [ada], remove: [] } });
    expect((await db.pool.query("select display_name from groups where id = $1", [rows[0].id])).rows).toEqual([{ display_name: "ldap" }]);
    await expect(ask({ kind: "group", id: rows[0].id, resource: {}, deleted: true })).rejects.toMatchObject({ code: "forbidden" });
  });

  test("B2: a guard that trips changes nothing", async () => {
    await db.pool.query("update connections set limits = '{\"disable\": {\"count\": 0}}' where name = 'scim'");
    const { id } = await ask({ kind: "user", resource: user("ada") });
    await expect(ask({ kind: "user", id, resource: user("ada", { active: false }) })).rejects.toMatchObject({ code: "held" });
    expect(await stateOf("ada")).toMatchObject({ state: "active" });
  });
});
