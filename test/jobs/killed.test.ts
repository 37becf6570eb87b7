import { spawn, type ChildProcess } from "node:child_process";
import path from "node:path";
import { afterEach, describe, expect, test } from "@jest/globals";
import { startWorker, type Worker } from "../../src/jobs/worker.ts";
import { silentLog } from "../helpers/database.ts";
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
