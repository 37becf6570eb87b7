import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { checkConnection } from "../../src/connections/check.ts";
import { connectionDefinitionSchema } from "../../src/connections/definition.ts";
import { loadConnection, type LoadedConnection } from "../../src/connections/open.ts";
import { addConnection } from "../../src/connections/store.ts";
import { inTransaction } from "../../src/db/database.ts";
import { tryMapping } from "../../src/sync/try-mapping.ts";
import { startGraph, type Graph } from "../counterparts/graph/server.ts";
import { personCalled, settingsOf } from "../connectors/entra/opened.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { testKeyRing } from "../helpers/sync.ts";

describe("what a connection check shows before anything is stored", () => {
  let db: TestDatabase;
  let graph: Graph;
  beforeAll(async () => {
    db = await testDatabase();
    graph = await startGraph({ granted: ["User.Read.All"] });
    for (let index = 0; index < 30; index++) graph.tenant.add("users", personCalled(`p${index}`, index % 3 ? {} : { department: "Sales" }));
  });
  afterAll(async () => {
    await graph.close();
    await db.drop();
  });

  async function connected(name: string, attributes: Record<string, string>, scope?: string): Promise<LoadedConnection> {
    const definition = connectionDefinitionSchema.parse({
      name,
      connector: "entra",
      settings: settingsOf(graph),
      mapping: { user: { attributes, ...(scope ? { scope } : {}) }, group: { attributes: { displayName: "account.displayName" } } },
    });
    await inTransaction(db, testContext(), (work) => addConnection(work, { definition, keyRing: testKeyRing }));
    return loadConnection(db.pool, testKeyRing, name);
  }

  test("one kind that may not be read is named with its permission, and the others are shown", async () => {
    const connection = await connected("entra", { userName: "account.userPrincipalName" }, "account.department == 'Sales'");
    const reached = await checkConnection(connection, testContext());
    expect(reached.find(({ kind }) => kind === "group")).toMatchObject({ ok: false, permission: "GroupMember.Read.All" });
    const [user, group] = await tryMapping(testContext(), { connection, limit: 10 });
    expect(user).toMatchObject({ name: "mapping.user", kind: "user", ok: true });
    expect(user?.samples).toHaveLength(10);
    expect(user?.samples).toContainEqual({
      nativeId: expect.any(String),
      outcome: "mapped",
      becomes: { userName: expect.stringContaining("@lab.example") },
    });
    expect(user?.samples).toContainEqual({ nativeId: expect.any(String), outcome: "out of scope" });
    expect(group).toMatchObject({ name: "mapping.group", ok: false, message: expect.stringContaining("could be read"), samples: [] });
    const { rows } = await db.pool.query("select (select count(*)::int from accounts) + (select count(*)::int from runs) as stored");
    expect(rows).toEqual([{ stored: 0 }]);
  });

  test("a record that the mapping fails on is named with its reason", async () => {
    const connection = await connected("failing", { userName: "string(int(account.displayName))" });
    const [user] = await tryMapping(testContext(), { connection, limit: 3 });
    expect(user).toMatchObject({ ok: false, message: "3 of the first 3 can't be mapped" });
    expect(user?.samples.map(({ outcome }) => outcome)).toEqual(["failed", "failed", "failed"]);
  });
});
