import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { loadKeyRing, readConfig } from "../../src/config.ts";
import { keepHooks } from "../../src/connections/hooks/keep.ts";
import { renewHookSecret } from "../../src/connections/hooks/renew.ts";
import { hookOverview } from "../../src/connections/hooks/overview.ts";
import { findHook } from "../../src/connections/hooks/state.ts";
import { rotateKey } from "../../src/connections/rotate.ts";
import { addConnection, removeConnection } from "../../src/connections/store.ts";
import { inTransaction } from "../../src/db/database.ts";
import { keyIdOf } from "../../src/db/envelope.ts";
import { runCommandLine } from "../../src/cli/program.ts";
import { settingsOf } from "../connectors/entra/opened.ts";
import { ALL_PERMISSIONS, startGraph, type Graph } from "../counterparts/graph/server.ts";
import { startDeployment, type Deployment } from "../http/hooks/deployment.ts";

const DAY_MS = 24 * 3_600_000;

let clock: number;
let here: Deployment;
let graph: Graph;
let id: number;

beforeEach(async () => {
  clock = Date.now();
  const now = () => new Date(clock);
  here = await startDeployment({ now });
  graph = await startGraph({ now, granted: [...ALL_PERMISSIONS, "Group.Read.All"], route: here.route });
  id = await connect();
});
afterEach(async () => {
  await graph.close();
  await here.stop();
});

const connect = (more: { enabled?: boolean; notifications?: { enabled: boolean } } = {}) =>
  here.connect({ mapping: "entra", name: "entra", settings: settingsOf(graph), ...more });
const overview = () => hookOverview(here.db.pool, { name: "entra", publicUrl: here.publicUrl });
const standing = () =>
  [...graph.subscriptions.held.values()].filter((each) => Date.parse(String(each["expirationDateTime"])) > clock).map((each) => each["id"]);
const events = async () =>
  (await here.db.pool.query<{ reason: string }>("select reason from audit_events where name = 'connection.notifications_failed'")).rows;

describe("subscriptions of a connection", () => {
  test("are made, renewed in time, and made again after a month in which nobody was there", async () => {
    await here.keep(id);
    const made = standing();
    expect(made).toHaveLength(2);
    expect(await overview()).toMatchObject({ state: "enabled", address: "https://rollcall.example.com/hooks/entra", problem: null });
    clock += 20 * DAY_MS;
    await here.keep(id);
    expect(standing()).toEqual(made);
    expect((await overview()).subscriptions.map(({ expiresAt }) => (expiresAt?.getTime() ?? 0) - clock > 28 * DAY_MS)).toEqual([
      true,
      true,
    ]);
    clock += 60 * DAY_MS;
    expect(standing()).toEqual([]);
    await here.keep(id);
    expect(standing()).toHaveLength(2);
  });

  test("are renewed at once when they want to be", async () => {
    await here.keep(id);
    const [before] = (await overview()).subscriptions;
    clock += DAY_MS;
    await graph.subscriptions.notifyLifecycle("reauthorizationRequired");
    await here.keep(id);
    const [after] = (await overview()).subscriptions;
    expect(after?.expiresAt?.getTime()).toBe((before?.expiresAt?.getTime() ?? 0) + DAY_MS);
    expect(await findHook(here.db.pool, id)).toMatchObject({ renew_asked_at: null });
  });

  test("are ended when the connection is disabled, wants none any more, or is removed", async () => {
    for (const end of [{ enabled: false }, { notifications: { enabled: false } }]) {
      await connect();
      await here.keep(id);
      expect(standing()).toHaveLength(2);
      await connect(end);
      await here.keep(id);
      expect([standing(), (await overview()).subscriptions]).toEqual([[], []]);
    }
    await connect();
    await here.keep(id);
    await inTransaction(here.db, here.ctx, (work) => removeConnection(work, { name: "entra" }));
    expect(standing()).toHaveLength(2);
    await here.keep(id);
    expect([standing(), await findHook(here.db.pool, id)]).toEqual([[], undefined]);
  });

  test("of a removed connection are not given up while its system is away, but once they can't live any more", async () => {
    await here.keep(id);
    await inTransaction(here.db, here.ctx, (work) => removeConnection(work, { name: "entra" }));
    graph.application.granted.clear();
    graph.signIn.revokeTokens();
    await here.keep(id);
    expect(await findHook(here.db.pool, id)).toBeDefined();
    clock += 61 * DAY_MS;
    await here.keep(id);
    expect(await findHook(here.db.pool, id)).toBeUndefined();
  });

  test("a look that is cut off anywhere leaves nothing that the next does not clean up", async () => {
    for (const at of ["POST /subscriptions", "DELETE /subscriptions"]) {
      graph.faults.plan({ kind: "reset after the work", at, times: 10 });
      await here.keep(id);
      await connect({ enabled: at.startsWith("POST") });
      graph.faults.clear();
      await here.keep(id);
    }
    expect(standing()).toEqual([]);
  });

  test("a failure is told once, and goes away; nothing of it stops a sync", async () => {
    await keepHooks(here.ctx, { db: here.db, keyRing: here.keyRing, connectionId: id, publicUrl: undefined });
    expect((await overview()).problem).toMatch(/http\.publicUrl is not set/);
    graph.application.granted.delete("Group.Read.All");
    await here.keep(id);
    await here.keep(id);
    const { problem, subscriptions } = await overview();
    expect(problem).toMatch(/Group\.Read\.All/);
    expect(subscriptions.map(({ about }) => about)).toEqual(["users"]);
    expect((await events()).map(({ reason }) => reason)).toEqual([expect.stringMatching(/publicUrl/), problem]);
    const { rows } = await here.db.pool.query("select state, failures from connections where id = $1", [id]);
    expect(rows).toEqual([{ state: "ready", failures: 0 }]);
    graph.application.granted.add("Group.Read.All");
    graph.signIn.revokeTokens();
    await here.keep(id);
    expect(await overview()).toMatchObject({ problem: null, subscriptions: [{ about: "users" }, { about: "groups" }] });
  });
});

describe("the secret of a connection's notifications", () => {
  const renew = () => inTransaction(here.db, here.ctx, (work) => renewHookSecret(work, { name: "entra", keyRing: here.keyRing }));
  const secrets = () => [...graph.subscriptions.held.values()].map((each) => String(each["clientState"]));
  const told = async (resource: "users" | "groups") => graph.subscriptions.notify(resource, "1");
  /** What somebody is answered who calls with a secret. */
  const calling = async (clientState: string) => {
    const value = [{ clientState, resource: "Users/1", changeType: "updated", subscriptionId: "1", tenantId: "1" }];
    const body = JSON.stringify({ value });
    const address = here.route(`${here.publicUrl}/hooks/entra`);
    return (await fetch(address, { method: "POST", headers: { "content-type": "application/json" }, body })).status;
  };

  test.each([false, true])("is renewed, whether the system lets two subscriptions stand side by side or not: %s", async (single) => {
    await here.keep(id);
    const before = standing();
    const [last = ""] = secrets();
    expect(await calling(last)).toBe(202);
    graph.subscriptions.single = single;
    graph.application.granted.delete("Group.Read.All");
    graph.signIn.revokeTokens();
    await renew();
    expect((await here.waiting("keep_hooks")).map(({ key }) => key)).toEqual([`keep_hooks:${id}`]);
    expect((await overview()).secret).toBe("set, another is to take its place");
    await here.keep(id);
    // The subscription to people bears the new one, that to groups the last: both are good.
    expect(new Set(secrets()).size).toBe(2);
    expect([await told("users"), await told("groups")]).toEqual([[202], [202]]);
    await renew();
    expect([await told("users"), await told("groups")]).toEqual([[202], [202]]);
    graph.application.granted.add("Group.Read.All");
    graph.signIn.revokeTokens();
    await here.keep(id);
    expect(secrets()).toEqual([await here.secretOf("entra"), await here.secretOf("entra")]);
    expect(standing().some((each) => before.includes(each))).toBe(false);
    expect(await overview()).toMatchObject({ problem: null, secret: "set", subscriptions: [{ about: "users" }, { about: "groups" }] });
    expect([await told("users"), await told("groups")]).toEqual([[202], [202]]);
    expect(await calling(last)).toBe(await calling("anything"));
    const { rows } = await here.db.pool.query("select count(*)::int as n from audit_events where name = 'connection.hook_secret_renewed'");
    expect(rows).toEqual([{ n: 1 }]);
  });

  test("a renewal that is cut off anywhere is finished by the next look, and no subscription is left that nobody knows", async () => {
    for (const at of ["POST /subscriptions", "DELETE /subscriptions"]) {
      await here.keep(id);
      const [last] = secrets();
      await renew();
      graph.faults.plan({ kind: "reset after the work", at, times: 10 });
      await here.keep(id);
      expect([await told("users"), await told("groups")].flat().every((status) => status === 202)).toBe(true);
      graph.faults.clear();
      await here.keep(id);
      const secret = await here.secretOf("entra");
      expect([secrets(), secret === last]).toEqual([[secret, secret], false]);
    }
  });

  test("is not renewed where no notifications are wanted, or the secret is the administrator's", async () => {
    await connect({ notifications: { enabled: false } });
    await expect(renew()).rejects.toMatchObject({ code: "conflict", field: "connection" });
    const definition = { name: "files", connector: "csv", settings: { file: "/tmp/people.csv", idColumn: "number" } };
    await inTransaction(here.db, here.ctx, (work) => addConnection(work, { definition, keyRing: here.keyRing }));
    await expect(
      inTransaction(here.db, here.ctx, (work) => renewHookSecret(work, { name: "files", keyRing: here.keyRing })),
    ).rejects.toMatchObject({ code: "invalid", message: expect.stringContaining("knows none") });
  });

  test("is sealed, shown by no command, and sealed anew with the master key, for a removed connection too", async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-hooks-"));
    try {
      const environment = {
        ROLLCALL_DATA: folder,
        DATABASE_URL: here.db.url,
        ROLLCALL_PUBLIC_URL: here.publicUrl,
        ROLLCALL_OUTBOUND_ALLOW: "127.0.0.0/8",
      };
      const config = readConfig({ environment });
      const keyRing = loadKeyRing(config);
      const definition = { name: "cloud", connector: "entra", settings: settingsOf(graph), policy: { notifications: { enabled: true } } };
      const { id: cloud } = await inTransaction(here.db, here.ctx, (work) => addConnection(work, { definition, keyRing }));
      await inTransaction(here.db, here.ctx, (work) => removeConnection(work, { name: "entra" }));
      const options = { db: here.db, keyRing, connectionId: cloud, publicUrl: here.publicUrl };
      await keepHooks(here.ctx, options);
      const secret = [...graph.subscriptions.held.values()][0]?.["clientState"];

      let out = "";
      const write = (text: string) => void (out += text);
      for (const line of [
        "connection hooks cloud",
        "connection hooks cloud --renew",
        "connection show cloud",
        "connection hooks cloud --json",
        "connection hooks nobody",
      ])
        await runCommandLine({
          arguments: line.split(" "),
          environment,
          terminal: { write, writeError: write, watched: false },
          version: "1",
          startServer: () => Promise.reject(new Error("not here")),
        });
      expect(out).toContain("https://rollcall.example.com/hooks/cloud");
      expect(out).toContain("notifications   enabled");
      expect(out).toContain("secret          set, another is to take its place");
      expect(out).toMatch(/users +until 20/);
      expect(out.includes(String(secret))).toBe(false);

      await inTransaction(here.db, here.ctx, (work) => removeConnection(work, { name: "cloud" }));
      const rotation = await rotateKey(here.ctx, { db: here.db, config });
      const hook = await findHook(here.db.pool, cloud);
      expect([hook?.secret, hook?.next_secret].map((sealed) => keyIdOf(sealed ?? ""))).toEqual([rotation.to, rotation.to]);
      expect(JSON.stringify(hook)).not.toContain(rotation.from);
      await keepHooks(here.ctx, { ...options, keyRing: loadKeyRing(config) });
      expect([standing(), await findHook(here.db.pool, cloud)]).toEqual([[], undefined]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
