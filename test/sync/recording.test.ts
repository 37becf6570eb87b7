import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { connectionDefinitionSchema } from "../../src/connections/definition.ts";
import { addConnection } from "../../src/connections/store.ts";
import { inTransaction } from "../../src/db/database.ts";
import { applyPlan } from "../../src/sync/apply-plan.ts";
import { approvePlan } from "../../src/sync/approve.ts";
import { recordRun, replayRun } from "../../src/sync/recording.ts";
import { runSync } from "../../src/sync/run.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { testKeyRing } from "../helpers/sync.ts";
import { SYSTEMS, type RecordedSystem } from "./recorded-systems.ts";

let folder: string;
let db: TestDatabase;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-recording-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(async () => {
  db = await testDatabase();
});
afterEach(() => db.drop());

async function connect(definition: object): Promise<void> {
  await inTransaction(db, testContext(), (work) =>
    addConnection(work, { definition: connectionDefinitionSchema.parse(definition), keyRing: testKeyRing }),
  );
}

/** All that a replay must leave as it is. */
async function stateOfTheHouse(): Promise<unknown> {
  const { rows } = await db.pool.query(
    `select (select jsonb_agg(c order by c.id) from connections c) as connections, (select jsonb_agg(a order by a.id) from accounts a) as accounts,
        (select jsonb_agg(p order by p.id) from people p) as people, (select jsonb_agg(g order by g.id) from groups g) as groups,
        (select count(*) from audit_events) as events, (select jsonb_agg(p order by p.id) from plans p where p.state <> 'superseded') as plans`,
  );
  return rows;
}

const deciding = () => ({ db, keyRing: testKeyRing });

describe.each(Object.entries(SYSTEMS))("a recorded run of %s", (name, open) => {
  let system: RecordedSystem;
  let stop: (() => Promise<void>) | undefined;
  beforeEach(async () => {
    system = await open();
    stop = () => system.stop();
    const { connector, settings, mapping } = system;
    await connect({
      name,
      connector,
      settings,
      mapping: { user: { attributes: { userName: mapping.user } }, group: { attributes: { displayName: mapping.group } } },
    });
  });
  afterEach(() => stop?.());

  test("B6: full and incremental runs are replayed without the system to the same plan, byte for byte", async () => {
    const ctx = testContext({ now: system.now });
    const run = { ...deciding(), connection: name, trigger: "cli" } as const;
    const full = path.join(folder, `${name}-full.jsonl`);
    const first = await recordRun(ctx, { ...run, mode: "full", file: full, planOnly: true });
    expect(first.plan["user"]?.["create"]).toBeGreaterThan(10);
    const before = await stateOfTheHouse();
    const replayed = await replayRun(testContext(), { ...deciding(), file: full });
    expect(replayed).toMatchObject({ same: true, summary: { hash: first.hash, state: "rehearsed", plan: first.plan } });
    expect(await stateOfTheHouse()).toEqual(before);

    await inTransaction(db, ctx, (work) => approvePlan(work, { planId: first.planId }));
    await applyPlan(ctx, { ...deciding(), planId: first.planId });
    await system.change();
    const increment = path.join(folder, `${name}-increment.jsonl`);
    const second = await recordRun(ctx, { ...run, mode: "incremental", file: increment, planOnly: true });
    expect(second).toMatchObject({ mode: system.mode, plan: { user: { create: 1 } } });
    // What is replayed now has nobody to ask.
    await stop?.();
    stop = undefined;
    expect(await replayRun(testContext(), { ...deciding(), file: increment })).toMatchObject({
      same: true,
      summary: { hash: second.hash },
    });

    const written = readFileSync(full, "utf8") + readFileSync(increment, "utf8");
    for (const secret of secretsIn(system.settings)) expect(written).not.toContain(secret);
    expect(written).not.toMatch(/Bearer |SSWS |"access_token":"(?!\[redacted\])|assertion=(?!%5Bredacted)/i);
  });
});

function secretsIn({ apiToken, clientSecret, bindPassword, serviceAccountKey }: Record<string, unknown>): string[] {
  const key = typeof serviceAccountKey === "string" ? (JSON.parse(serviceAccountKey) as { private_key: string }).private_key : undefined;
  return [apiToken, clientSecret, bindPassword, key].flatMap((secret) =>
    typeof secret === "string" ? [secret, JSON.stringify(secret).slice(1, -1)] : [],
  );
}

describe("a recorded run of a system that is not reached by HTTP", () => {
  let feed: string;
  const write = (people: readonly string[]) => {
    writeFileSync(`${feed}.new`, ["id,login", ...people.map((name) => `${name},${name}`), `END,${people.length}`, ""].join("\n"));
    renameSync(`${feed}.new`, feed);
  };
  const run = () => ({ ...deciding(), connection: "hr", trigger: "cli", mode: "full" }) as const;
  const definition = () => ({
    name: "hr",
    connector: "csv",
    settings: { file: feed, idColumn: "id", trailer: "END" },
    mapping: { user: { attributes: { userName: "account.login" } } },
  });
  beforeEach(async () => {
    feed = path.join(folder, "people.csv");
    write(["ann", "bob", "cid"]);
    await connect(definition());
  });

  test("B6: what the source returned is replayed, leavers included, and the file is its owner's alone", async () => {
    const ctx = testContext();
    await runSync(ctx, run());
    write(["ann", "bob"]);
    const file = path.join(folder, "leaver.jsonl");
    const recorded = await recordRun(ctx, { ...run(), file, planOnly: true });
    expect(recorded.plan).toMatchObject({ user: { delete: 1 } });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    rmSync(feed);
    const before = await stateOfTheHouse();
    expect(await replayRun(ctx, { ...deciding(), file })).toMatchObject({ same: true, summary: { hash: recorded.hash } });
    expect(await stateOfTheHouse()).toEqual(before);
    await expect(recordRun(ctx, { ...run(), file })).rejects.toMatchObject({ code: "conflict" });
  });

  test("B6: another mapping comes to another plan, and says so; nobody can approve it", async () => {
    const ctx = testContext();
    const file = path.join(folder, "mapping.jsonl");
    await recordRun(ctx, { ...run(), file, planOnly: true });
    await connectAgain({ ...definition(), mapping: { user: { attributes: { userName: "account.login + '@lab.test'" } } } });
    const replayed = await replayRun(ctx, { ...deciding(), file });
    expect(replayed).toMatchObject({ same: false, summary: { plan: { user: { create: 3 } } } });
    const approval = inTransaction(db, ctx, (work) => approvePlan(work, { planId: replayed.summary?.planId ?? 0 }));
    await expect(approval).rejects.toMatchObject({ code: "conflict" });
  });

  test("B6: a run that failed fails again in the same words, and counts against nobody", async () => {
    const ctx = testContext();
    writeFileSync(feed, 'id,login\n1,"ann\n');
    const file = path.join(folder, "failed.jsonl");
    const failure = await recordRun(ctx, { ...run(), file }).catch((error: unknown) => error);
    const before = await stateOfTheHouse();
    expect(await replayRun(ctx, { ...deciding(), file })).toMatchObject({ same: true, fault: (failure as Error).message });
    expect(await stateOfTheHouse()).toEqual(before);
  });

  test("B6: a recording that broke off deletes nobody, and files of another kind are refused", async () => {
    const ctx = testContext();
    await runSync(ctx, run());
    const file = path.join(folder, "whole.jsonl");
    await recordRun(ctx, { ...run(), file });
    const lines = readFileSync(file, "utf8").split("\n");
    for (let kept = 1; kept < lines.length - 1; kept++) {
      const broken = path.join(folder, "broken.jsonl");
      writeFileSync(broken, `${lines.slice(0, kept).join("\n")}\n${lines[kept]?.slice(0, 5)}`);
      const { summary, same } = await replayRun(ctx, { ...deciding(), file: broken });
      expect(summary?.plan["user"]?.["delete"] ?? 0).toBe(0);
      expect(same).toBe(false);
    }
    for (const text of ["", "{}", "not JSON\n", `${lines[0]}\n{"key":1}\n`]) {
      const other = path.join(folder, "other.jsonl");
      writeFileSync(other, text);
      await expect(replayRun(ctx, { ...deciding(), file: other })).rejects.toMatchObject({ code: "invalid", field: "file" });
    }
    await expect(replayRun(ctx, { ...deciding(), file: "/nowhere.jsonl" })).rejects.toMatchObject({ code: "invalid" });
    await connect({ name: "app", connector: "scim", settings: { url: "https://app.test", token: "t" } });
    await expect(replayRun(ctx, { ...deciding(), file, connection: "app" })).rejects.toMatchObject({ code: "conflict" });
  });

  async function connectAgain(changed: object): Promise<void> {
    await inTransaction(db, testContext(), (work) =>
      addConnection(work, { definition: connectionDefinitionSchema.parse(changed), keyRing: testKeyRing, replace: true }),
    );
  }
});
