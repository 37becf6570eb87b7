import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { runSync } from "../../src/sync/run.ts";
import { personCalled, settingsOf } from "../connectors/entra/opened.ts";
import { API_TOKEN } from "../connectors/okta/opened.ts";
import { notifyChannels } from "../counterparts/google/channels.ts";
import { startGoogle, type GoogleFake } from "../counterparts/google/server.ts";
import { ALL_PERMISSIONS, startGraph, type Graph } from "../counterparts/graph/server.ts";
import { deliverEvents, verifyEventHook } from "../counterparts/okta/event-hook.ts";
import { openFakeOkta, type FakeOkta } from "../counterparts/okta/server.ts";
import { openClock } from "../counterparts/okta/clock.ts";
import { startDeployment, type Deployment } from "../http/hooks/deployment.ts";
import { until } from "../jobs/waiting.ts";

const EVENT_HOOK_SECRET = "a-secret-of-the-event-hook";
const notifications = { enabled: true, gatherSeconds: 0.2 };

let here: Deployment;

const titleOf = async (userName: string) =>
  (
    await here.db.pool.query<{ title: string | null; active: boolean }>(
      "select attributes ->> 'title' as title, active from people where user_name = $1",
      [userName],
    )
  ).rows[0];
const runsOf = async (name: string) =>
  (
    await here.db.pool.query<{ trigger: string; state: string; mode: string }>(
      "select trigger, r.state, mode from runs r join connections c on c.id = r.connection_id where c.name = $1 order by r.id",
      [name],
    )
  ).rows;
const sync = (connection: string) =>
  runSync(here.ctx, { db: here.db, keyRing: here.keyRing, connection, mode: "incremental", trigger: "cli" });
/** Nothing runs any more, and nothing waits. */
const quiet = () =>
  until(
    async () => (await here.waiting("sync")).length,
    (count) => count === 0,
  );

beforeAll(async () => {
  here = await startDeployment({ nodes: 2 });
  await here.startWorker();
});
afterAll(() => here?.stop());

describe("a change that a system tells of is read at once", () => {
  describe("Microsoft Entra ID (a stand-in of Microsoft Graph)", () => {
    let graph: Graph;
    let ada: string;
    beforeAll(async () => {
      graph = await startGraph({ granted: [...ALL_PERMISSIONS, "Group.Read.All"], route: here.route });
      ada = graph.tenant.add("users", personCalled("ada"));
      await here.connect({ mapping: "entra", name: "entra", settings: settingsOf(graph), notifications });
      await until(
        () => graph.subscriptions.held.size,
        (count) => count === 2,
      );
      await sync("entra");
    });
    afterAll(() => graph?.close());

    test("its subscriptions are made by the job; a notification changes the person here", async () => {
      graph.tenant.change(ada, { jobTitle: "Head of research" });
      expect(await graph.subscriptions.notify("users", ada)).toEqual([202]);
      await until(
        () => titleOf("ada@lab.example"),
        (seen) => seen?.title === "Head of research",
      );
      await quiet();
      expect((await runsOf("entra")).at(-1)).toEqual({ trigger: "hook", state: "done", mode: "incremental" });
    });

    test("a hint that comes while a run goes on is followed by another run", async () => {
      await quiet();
      const client = await here.db.pool.connect();
      const { rows } = await client.query<{ id: number }>("select id from connections where name = 'entra'");
      // Another node's run, as far as anybody can see.
      await client.query("select pg_advisory_lock(7305002, $1)", [rows[0]?.id]);
      graph.tenant.change(ada, { jobTitle: "Rector" });
      await graph.subscriptions.notify("users", ada);
      const [first] = await until(
        () => here.waiting("sync"),
        (jobs) => jobs.some(({ run_at: at }) => at.getTime() > Date.now() + 300),
      );
      expect(first?.key).toBe(`sync:${rows[0]?.id}:hook`);
      await client.query("select pg_advisory_unlock(7305002, $1)", [rows[0]?.id]);
      client.release();
      await until(
        () => titleOf("ada@lab.example"),
        (seen) => seen?.title === "Rector",
      );
      await quiet();
    });

    test("what was never told is found by the schedule, and what comes twice or late changes nothing", async () => {
      await quiet();
      graph.tenant.change(ada, { jobTitle: "Emerita" });
      await sync("entra");
      expect(await titleOf("ada@lab.example")).toMatchObject({ title: "Emerita" });
      await graph.subscriptions.notify("users", ada);
      await graph.subscriptions.notify("users", randomUUID());
      await until(
        async () => (await runsOf("entra")).at(-1)?.trigger,
        (trigger) => trigger === "hook",
      );
      await quiet();
      expect(await titleOf("ada@lab.example")).toMatchObject({ title: "Emerita" });
    });

    test("a subscription that was taken away is made again, and what was missed is read", async () => {
      const before = [...graph.subscriptions.held.keys()];
      const removed = graph.subscriptions.notifyLifecycle("subscriptionRemoved");
      graph.subscriptions.held.clear();
      graph.tenant.change(ada, { jobTitle: "Consul" });
      await removed;
      await until(
        () => [...graph.subscriptions.held.keys()],
        (ids) => ids.length === 2 && !ids.some((id) => before.includes(id)),
      );
      await until(
        () => titleOf("ada@lab.example"),
        (seen) => seen?.title === "Consul",
      );
    });

    test("disabled: its subscriptions are ended", async () => {
      await here.connect({ mapping: "entra", name: "entra", settings: settingsOf(graph), notifications, enabled: false });
      await until(
        () => graph.subscriptions.held.size,
        (count) => count === 0,
      );
    });
  });

  describe("Google Workspace (a stand-in of the Directory API)", () => {
    let fake: GoogleFake;
    beforeAll(async () => {
      fake = await startGoogle();
    });
    afterAll(() => fake?.stop());

    test("its channels are opened by the job; a notification changes the person here", async () => {
      const { id, primaryEmail } = fake.organisation.addUser({ email: "bea@lab.test" });
      const settings = {
        serviceAccountKey: fake.delegation.keyFile,
        administrator: fake.administrator,
        apiUrl: fake.url,
        tokenUrl: fake.tokenUrl,
      };
      await here.connect({ mapping: "google", name: "workspace", settings, notifications });
      await until(
        () => fake.organisation.channels.size,
        (count) => count === 4,
      );
      expect(await notifyChannels(fake.organisation, { event: "add", state: "sync", route: here.route })).toEqual([204]);
      await sync("workspace");
      expect(await titleOf(primaryEmail)).toMatchObject({ active: true });
      fake.organisation.changeUser(id, { suspended: true });
      expect(await notifyChannels(fake.organisation, { event: "update", route: here.route })).toEqual([204]);
      await until(
        () => titleOf(primaryEmail),
        (seen) => seen?.active === false,
      );
      await quiet();
      expect((await runsOf("workspace")).at(-1)).toMatchObject({ trigger: "hook", state: "done" });
    });
  });

  describe("Okta (a stand-in of its API)", () => {
    let fake: FakeOkta;
    beforeAll(async () => {
      fake = await openFakeOkta(openClock(new Date()));
      fake.signIn.apiTokens.add(API_TOKEN);
    });
    afterAll(() => fake?.close());

    test("its event hook is verified; events change the person here, told again they start nothing", async () => {
      const { id } = fake.org.addUser({ firstName: "Cyd", lastName: "Lab", email: "cyd@lab.test", login: "cyd@lab.test" });
      const settings = { url: fake.url, apiToken: API_TOKEN, eventHookSecret: EVENT_HOOK_SECRET };
      await here.connect({ mapping: "okta", name: "okta", settings, notifications });
      const hook = () => ({ url: here.route(`${here.publicUrl}/hooks/okta`), secret: EVENT_HOOK_SECRET });
      expect(await verifyEventHook(hook())).toBe(true);
      await sync("okta");
      fake.org.lifecycle(id, "suspend");
      const events = [
        { uuid: randomUUID(), eventType: "user.lifecycle.suspend" },
        { uuid: randomUUID(), eventType: "user.session.end" },
      ];
      expect(await deliverEvents(hook(), events)).toBe(204);
      await until(
        () => titleOf("cyd@lab.test"),
        (seen) => seen?.active === false,
      );
      await quiet();
      const runs = (await runsOf("okta")).length;
      expect(await deliverEvents(hook(), events.toReversed())).toBe(204);
      expect(await here.waiting("sync")).toEqual([]);
      expect((await runsOf("okta")).length).toBe(runs);
    });
  });
});
