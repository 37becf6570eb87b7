import { afterEach, describe, expect, test } from "@jest/globals";
import { addConnection } from "../../src/connections/store.ts";
import { flagConnection } from "../../src/connections/state.ts";
import { fire, startSchedule, type Schedule } from "../../src/jobs/schedule.ts";
import { wakeWhatWaits } from "../../src/provision/wake.ts";
import { silentLog } from "../helpers/database.ts";
import { startWorld, type World } from "../provision/world.ts";
import { until } from "./waiting.ts";

let world: World;
let schedules: Schedule[] = [];
afterEach(async () => {
  for (const schedule of schedules) await schedule.stop();
  schedules = [];
  await world.stop();
});

const start = async (): Promise<Schedule> => {
  const schedule = await startSchedule({ db: world.db, log: silentLog, reloadMs: 3_600_000 });
  schedules.push(schedule);
  return schedule;
};
const jobs = async (task: string) =>
  (
    await world.db.pool.query<{ key: string }>("select key from graphile_worker.jobs where task_identifier = $1 order by id", [task])
  ).rows.map(({ key }) => key);

async function scheduled(values: { schedule?: string; timeZone?: string; reconcile?: string }): Promise<void> {
  await world.work((work) =>
    addConnection(work, {
      keyRing: world.keyRing,
      replace: true,
      definition: {
        name: "app",
        connector: "scim",
        settings: { url: world.downstream.url, token: world.downstream.token },
        policy: { provision: { ...(values.reconcile ? { reconcile: values.reconcile } : {}) } },
        ...(values.timeZone ? { timeZone: values.timeZone } : {}),
      },
    }),
  );
  if (values.schedule) await world.db.pool.query("update connections set schedule = $1", [values.schedule]);
}

describe("the schedule", () => {
  test("M2: follows the connections: made, changed, flagged and resumed", async () => {
    world = await startWorld();
    const schedule = await start();
    expect(schedule.names()).toEqual([]);
    await scheduled({ schedule: "*/5 * * * *", reconcile: "0 3 * * *", timeZone: "Europe/Berlin" });
    await schedule.reload();
    expect(schedule.names()).toEqual([`reconcile:${world.connectionId}`, `sync:${world.connectionId}`]);
    await world.work((work) => flagConnection(work, { id: world.connectionId, state: "flagged", reason: "denied" }));
    await schedule.reload();
    expect(schedule.names()).toEqual([]);
  });

  test("invariant 10: two nodes' clocks make one job of one stroke, however far apart they strike", async () => {
    world = await startWorld();
    const entry = {
      name: `sync:${world.connectionId}`,
      job: "sync" as const,
      connectionId: world.connectionId,
      expression: "* * * * *",
      timeZone: "UTC",
    };
    const stroke = new Date("2030-01-01T12:00:00Z");
    const fired = await Promise.all(
      [0, 12, 300].map((late) => fire(world.ctx, { db: world.db, entry, at: new Date(stroke.getTime() + late) })),
    );
    expect(fired.filter(Boolean)).toHaveLength(1);
    expect(await jobs("sync")).toEqual([`sync:${world.connectionId}:2030-01-01T12:00:00.000Z`]);
    // The job is done and gone when the slowest clock strikes.
    await world.db.pool.query("delete from graphile_worker._private_jobs");
    expect(await fire(world.ctx, { db: world.db, entry, at: stroke })).toBe(false);
    expect(await fire(world.ctx, { db: world.db, entry, at: new Date(stroke.getTime() + 60_000) })).toBe(true);
  });

  test("a clock strikes by itself, and only enqueues", async () => {
    world = await startWorld();
    await scheduled({ schedule: "* * * * * *" });
    await start();
    await start();
    await until(
      () => jobs("sync"),
      (keys) => keys.length >= 2,
    );
    const keys = await jobs("sync");
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("what waits without a wake-up is woken", async () => {
    world = await startWorld();
    await world.addPeople(["anna"]);
    await world.db.pool.query("delete from graphile_worker._private_jobs");
    await start();
    await world.drain();
    expect(world.user("anna")).toMatchObject({ active: true });
    expect(await world.work(wakeWhatWaits)).toEqual({ deliveries: 0, targets: 0 });
  });
});
