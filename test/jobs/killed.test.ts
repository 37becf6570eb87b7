import { spawn, type ChildProcess } from "node:child_process";
import path from "node:path";
import { afterEach, describe, expect, test } from "@jest/globals";
import { giveGrant } from "../../src/access/grants.ts";
import { createRole } from "../../src/access/roles.ts";
import { setPersonExpiry } from "../../src/directory/person-expiry.ts";
import { createUnit } from "../../src/directory/units.ts";
import { startWorker, type Worker } from "../../src/jobs/worker.ts";
import { approvePlan } from "../../src/sync/approve.ts";
import { silentLog } from "../helpers/database.ts";
import { world as memoryWorld } from "../helpers/memory-source.ts";
import { person, syncWorld, testConnection } from "../helpers/sync.ts";
import { startWorld, type World } from "../provision/world.ts";
import { until } from "./waiting.ts";

let world: World;
let worker: Worker | undefined;
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await worker?.stop();
  worker = undefined;
  await world.stop();
});

async function startChild(): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    [path.join(import.meta.dirname, "worker-child.mjs"), world.db.url, world.keyRing.current.bytes.toString("hex")],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  children.push(child);
  let said = "";
  child.stdout?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  await until(
    () => said,
    (text) => text.includes("ready"),
  );
  return child;
}

async function startSecond(): Promise<void> {
  worker = await startWorker({
    db: world.db,
    keyRing: world.keyRing,
    log: silentLog,
    config: { worker: { concurrency: 2 }, outbound: { allow: ["127.0.0.0/8"], direct: [] } },
    drainMs: 5_000,
  });
}

/** Projections that are not at rest, and the jobs there are: empty when all is delivered. */
const unsettled = async () => {
  const { rows } = await world.db.pool.query(
    `select p.id, p.state, p.last_error, p.dirty_at, (select json_agg(j) from graphile_worker.jobs j where j.task_identifier in ('project', 'deliver')) as jobs
     from projections p where p.state <> 'idle' or p.dirty_at is not null`,
  );
  return rows;
};
const atRest = (rows: readonly unknown[]) => rows.length === 0;

describe("a worker killed with SIGKILL", () => {
  test("invariants 3 and 10: in the middle of a create, a second worker takes it up and there is exactly one account", async () => {
    world = await startWorld();
    world.downstream.delayAnswers(60_000, "POST");
    const child = await startChild();
    await world.addPeople(["anna"]);
    // The application has made the account; its answer is on the way when the worker dies.
    await until(
      () => world.downstream.users().length,
      (count) => count === 1,
    );
    child.kill("SIGKILL");
    world.downstream.delayAnswers(0, "POST");
    await startSecond();
    await until(unsettled, atRest);
    expect(world.downstream.users()).toHaveLength(1);
    expect(world.downstream.history(world.user("anna")?.id ?? "").filter(({ change }) => change === "created")).toHaveLength(1);
    expect((await world.projections())["anna"]).toMatchObject({
      state: "idle",
      delivered_state: "present",
      native_id: world.user("anna")?.id,
    });
    const { rows } = await world.db.pool.query("select operation, state from deliveries");
    expect(rows).toEqual([{ operation: "link", state: "delivered" }]);
    const { rows: nodes } = await world.db.pool.query("select id from nodes");
    expect(nodes).toHaveLength(1);
  });

  test("invariants 3 and 10: in the middle of a disable, the person ends disabled, once, and never active again", async () => {
    world = await startWorld();
    const [anna = ""] = await world.addPeople(["anna"]);
    await world.drain();
    world.downstream.delayAnswers(60_000, "PATCH");
    const child = await startChild();
    await world.setPerson(anna, { active: false });
    await until(
      () => world.user("anna")?.active,
      (active) => active === false,
    );
    child.kill("SIGKILL");
    world.downstream.delayAnswers(0, "PATCH");
    await startSecond();
    await until(unsettled, atRest);
    const activity = world.downstream.history(world.user("anna")?.id ?? "").map(({ active }) => active);
    expect(activity[0]).toBe(true);
    expect(activity.slice(activity.indexOf(false))).not.toContain(true);
    const { rows } = await world.db.pool.query("select operation, state from deliveries where operation = 'disable'");
    expect(rows).toEqual([{ operation: "disable", state: "delivered" }]);
  });

  test("invariant 3: when the person left before the second worker came, the account made in between is disabled", async () => {
    world = await startWorld();
    world.downstream.delayAnswers(60_000, "POST");
    const child = await startChild();
    const [anna = ""] = await world.addPeople(["anna"]);
    await until(
      () => world.downstream.users().length,
      (count) => count === 1,
    );
    child.kill("SIGKILL");
    await world.setPerson(anna, { active: false });
    world.downstream.delayAnswers(0, "POST");
    await startSecond();
    await until(unsettled, atRest);
    expect(world.user("anna")).toMatchObject({ active: false });
  });
});

/** Holds what a statement locks, until it is let go: whoever comes to it is in the middle of its work. */
async function hold(statement: string): Promise<{ met: () => Promise<unknown>; letGo: () => Promise<void> }> {
  const client = await world.db.pool.connect();
  await client.query("begin");
  await client.query(statement);
  const waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
  const blocked = async () => (await world.db.pool.query(waiting)).rowCount ?? 0;
  return {
    met: () => until(blocked, (count) => count > 0),
    async letGo() {
      await client.query("rollback");
      client.release();
    },
  };
}

/** A worker dies by SIGKILL while it waits for what is held; a second one takes up its work. */
async function killedAt(held: Awaited<ReturnType<typeof hold>>, begin: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
  const child = await startChild();
  await begin();
  await held.met();
  child.kill("SIGKILL");
  await held.letGo();
  await startSecond();
}

const events = async (name: string) => (await world.db.pool.query("select from audit_events where name = $1", [name])).rowCount;

describe("a worker killed with SIGKILL in the middle of other jobs", () => {
  test("invariants 3 and 10: of a target's decisions, everybody is made there once", async () => {
    world = await startWorld();
    await world.addPeople(["anna", "ben"]);
    await killedAt(await hold("select from projections order by id desc limit 1 for update"));
    await until(unsettled, atRest);
    await until(
      () => world.downstream.users().length,
      (count) => count === 2,
    );
    for (const { id } of world.downstream.users()) expect(world.downstream.history(String(id))).toHaveLength(1);
  });

  test("invariants 3 and 10: of a reconciliation, what differs is repaired once", async () => {
    world = await startWorld();
    await world.addPeople(["anna"]);
    await world.drain();
    world.downstream.tamper(world.user("anna")?.id ?? "", { displayName: "Somebody else" });
    const held = await hold("select from projections for update");
    await killedAt(held, () =>
      world.db.pool.query("select graphile_worker.add_job('reconcile', json_build_object('connectionId', $1::int))", [world.connectionId]),
    );
    await until(
      () => world.user("anna")?.["displayName"],
      (name) => name === "ANNA",
    );
    await until(unsettled, atRest);
    expect(await events("target.drift_repaired")).toBe(1);
  });

  test("invariants 3, 6 and 10: of what ends access, it ends, and that is told once", async () => {
    world = await startWorld();
    const [anna = ""] = await world.addPeople(["anna"]);
    await world.drain();
    await world.work(async (work) => {
      await createUnit(work, { name: "Company", type: "organization", code: "ORG" });
      await createRole(work, { key: "visitor", name: "Visitor", permissions: [] });
      await giveGrant(work, { personId: anna, role: "visitor", unit: "ORG", expiresAfterSeconds: 1 });
      await setPersonExpiry(work, { personId: anna, until: new Date(Date.now() + 1000), reason: "the visit is over" });
    });
    await world.db.pool.query("insert into watermarks (key, at) values ('access', now()) on conflict (key) do nothing");
    await killedAt(await hold("select from watermarks where key = 'access' for update"));
    await until(
      () => world.user("anna")?.active,
      (active) => active === false,
    );
    for (const name of ["grant.expired", "person.suspended"])
      await until(
        () => events(name),
        (count) => (count ?? 0) > 0,
      );
    await until(unsettled, atRest);
    expect([await events("grant.expired"), await events("person.suspended")]).toEqual([1, 1]);
  });

  test("invariants 3 and 10: of an approved plan, it is carried through, each item once", async () => {
    world = await startWorld();
    await testConnection(world.db, world.ctx, { name: "corp" });
    const source = memoryWorld([person("zoe"), person("yan")]);
    const { planId } = await syncWorld(world.db, world.ctx, { world: source, planOnly: true });
    const held = await hold(
      "insert into people (id, user_name, attributes, created_at, modified_at) values (gen_random_uuid(), 'zoe', '{}', now(), now())",
    );
    await killedAt(held, () => world.work((work) => approvePlan(work, { planId })));
    await until(
      async () => (await world.db.pool.query("select state from plans where id = $1", [planId])).rows[0]?.state,
      (state) => state === "applied",
    );
    expect(await events("person.joined")).toBe(2);
    expect((await world.db.pool.query("select user_name from people order by user_name")).rows).toEqual([
      { user_name: "yan" },
      { user_name: "zoe" },
    ]);
    await until(unsettled, atRest);
    expect(world.downstream.users()).toHaveLength(2);
  });
});

describe("a worker that is asked to stop", () => {
  test("drains: what is in flight is finished, nothing is left locked, and the node is gone", async () => {
    world = await startWorld();
    world.downstream.delayAnswers(700, "POST");
    const child = await startChild();
    await world.addPeople(["anna"]);
    await until(
      () => world.downstream.users().length,
      (count) => count === 1,
    );
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect((await world.projections())["anna"]).toMatchObject({ state: "idle", delivered_state: "present" });
    const {
      rows: [left],
    } = await world.db.pool.query(
      "select (select count(*)::int from nodes) as nodes, (select count(*)::int from graphile_worker.jobs where locked_by is not null) as locked",
    );
    expect(left).toEqual({ nodes: 0, locked: 0 });
  });
});
