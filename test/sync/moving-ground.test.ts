import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { findConnection, loadConnection } from "../../src/connections/open.ts";
import { changeConnection, type ConnectionChange } from "../../src/connections/change-connection.ts";
import { inTransaction } from "../../src/db/database.ts";
import { applyPlan } from "../../src/sync/apply-plan.ts";
import { approvePlan } from "../../src/sync/approve.ts";
import { effectiveMode } from "../../src/sync/run.ts";
import { put, remove, world } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { group, person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeEach(async () => {
  db = await testDatabase();
});
afterEach(() => db.drop());

async function change(name: string, to: ConnectionChange): Promise<void> {
  const row = await findConnection(db.pool, name);
  await inTransaction(db, ctx, (work) => changeConnection(work, { row, change: to, keyRing: testKeyRing, folders: [] }));
}

const mapping = (title: string) => ({ user: { attributes: { userName: "account.uid", title } } });

async function titles(): Promise<Record<string, string | null>> {
  const { rows } = await db.pool.query<{ user_name: string; title: string | null }>(
    "select user_name::text, attributes->>'title' as title from people order by 1",
  );
  return Object.fromEntries(rows.map(({ user_name, title }) => [user_name, title]));
}

describe("what is changed under a run", () => {
  test("M3: a mapping that is edited after a plan was made and before it is applied holds for everybody from the next run on, those of the plan included", async () => {
    await testConnection(db, ctx, { mapping: mapping("'before'") });
    const source = world([person("ada"), person("bob")]);
    await syncWorld(db, ctx, { world: source });
    put(source, person("cyd"));
    put(source, person("bob", { title: "changed" }));
    const held = await syncWorld(db, ctx, { world: source, planOnly: true });
    await change("corp", { mapping: mapping("'after'") });
    await inTransaction(db, ctx, (work) => approvePlan(work, { planId: held.planId }));
    await applyPlan(ctx, { db, keyRing: testKeyRing, planId: held.planId });
    await syncWorld(db, ctx, { world: source });
    expect(await titles()).toEqual({ ada: "after", bob: "after", cyd: "after" });
  });

  test("M3: a connection whose precedence is changed masters what it should from its next run on", async () => {
    await testConnection(db, ctx, { name: "hr", mapping: { ...mapping("'by hr'"), match: ["userName"] }, precedence: 10 });
    await testConnection(db, ctx, { name: "cloud", mapping: { ...mapping("'by cloud'"), match: ["userName"] }, precedence: 20 });
    const source = world([person("ada")]);
    for (const connection of ["hr", "cloud"]) await syncWorld(db, ctx, { world: source, connection });
    expect(await titles()).toEqual({ ada: "by hr" });
    await change("cloud", { precedence: 5 });
    await syncWorld(db, ctx, { world: source, connection: "cloud" });
    expect(await titles()).toEqual({ ada: "by cloud" });
  });
});

describe("a kind that a connection does not read any more", () => {
  const both = { user: { attributes: { userName: "account.uid" } }, group: { attributes: { displayName: "account.cn" } } };
  const members = async () =>
    (await db.pool.query<{ n: number }>("select count(*)::int as n from memberships where recorded_to is null and valid_to is null"))
      .rows[0]?.n;

  test("I1: its groups don't go on as they were, with nobody to say who has left them: they leave, once that is approved", async () => {
    await testConnection(db, ctx, { mapping: both });
    const source = world([person("ada"), person("bob"), group("staff", ["uid=ada", "uid=bob"])]);
    await syncWorld(db, ctx, { world: source });
    await change("corp", { mapping: { user: both.user } });
    const held = await syncWorld(db, ctx, { world: source });
    expect(held).toMatchObject({ state: "held", plan: { group: { delete: 1 } }, guards: [{ guard: "scope" }] });
    expect(held.notes).toEqual([expect.stringContaining("groups: corp does not read them any more")]);
    expect(await members()).toBe(2);
    await inTransaction(db, ctx, (work) => approvePlan(work, { planId: held.planId }));
    await applyPlan(ctx, { db, keyRing: testKeyRing, planId: held.planId });
    expect(await members()).toBe(0);
    expect(await syncWorld(db, ctx, { world: source })).toMatchObject({ state: "done", plan: {}, notes: [] });
    await change("corp", { mapping: both });
    await syncWorld(db, ctx, { world: source });
    expect(await members()).toBe(2);
  });

  test("I1: neither do its people", async () => {
    await testConnection(db, ctx, { mapping: both });
    const source = world([person("ada"), group("staff", ["uid=ada"])]);
    await syncWorld(db, ctx, { world: source });
    await change("corp", { mapping: { group: both.group } });
    expect(await syncWorld(db, ctx, { world: source })).toMatchObject({ state: "held", plan: { user: { delete: 1 } } });
    const { rows } = await db.pool.query("select state from people");
    expect(rows).toEqual([{ state: "active" }]);
  });
});

describe("a clock that was wrong for a while", () => {
  const at = (instant: string) => testContext({ now: () => new Date(instant) });

  test("I1: who arrived while it was ahead leaves all the same once it is right again", async () => {
    await testConnection(db, ctx, { mapping: mapping("'x'") });
    const source = world([person("ada"), person("bob")]);
    await syncWorld(db, at("2031-01-01T00:00:00Z"), { world: source });
    remove(source, "user", "id-bob");
    await syncWorld(db, at("2026-01-01T00:00:00Z"), { world: source });
    const { rows } = await db.pool.query("select user_name::text, state from people order by 1");
    expect(rows).toEqual([
      { user_name: "ada", state: "active" },
      { user_name: "bob", state: "deactivated" },
    ]);
  });

  test("a full read that seems to lie ahead puts off no other", async () => {
    await testConnection(db, ctx);
    await syncWorld(db, at("2031-01-01T00:00:00Z"), { world: world([person("ada")]) });
    await db.pool.query("update connections set cursor = '{}'");
    const connection = await loadConnection(db.pool, testKeyRing, "corp");
    expect(effectiveMode(connection, { mode: "incremental", now: new Date("2026-01-01T00:00:00Z") })).toBe("full");
    expect(effectiveMode(connection, { mode: "incremental", now: new Date("2031-01-01T00:01:00Z") })).toBe("incremental");
  });
});
