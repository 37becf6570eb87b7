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

const start = async (now?: Date): Promise<Schedule> => {
  const schedule = await startSchedule({ db: world.db, log: silentLog, reloadMs: 3_600_000, ...(now ? { now: () => now } : {}) });
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
    const ctx = { ...world.ctx, now: () => stroke };
    const fired = await Promise.all([0, 12, 300].map((late) => fire(ctx, { db: world.db, entry, at: new Date(stroke.getTime() + late) })));
    expect(fired.filter(Boolean)).toHaveLength(1);
    expect(await jobs("sync")).toEqual([`sync:${world.connectionId}:2030-01-01T12:00:00.000Z`]);
    // The job is done and gone when the slowest clock strikes.
    await world.db.pool.query("delete from graphile_worker._private_jobs");
    expect(await fire(ctx, { db: world.db, entry, at: stroke })).toBe(false);
    expect(await fire(ctx, { db: world.db, entry, at: new Date(stroke.getTime() + 60_000) })).toBe(true);
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

  test("M2: a stroke that no node heard is made up for by the first that is up again, the last one only, and by nobody twice", async () => {
    world = await startWorld();
    await scheduled({ schedule: "0 5 * * *", timeZone: "Europe/Oslo" });
    await world.db.pool.query("update connections set updated_at = '2026-11-10T12:00:00Z'");
    const at = (time: string) => new Date(time);
    // The stroke is not a minute old: it is another clock's yet.
    await start(at("2026-11-11T04:00:30Z"));
    expect(await jobs("sync")).toEqual([]);
    await start(at("2026-11-14T09:00:00Z"));
    await start(at("2026-11-14T09:00:00Z"));
    expect(await jobs("sync")).toEqual([`sync:${world.connectionId}:2026-11-14T04:00:00.000Z`]);
  });

  test("M2: a clock that was ahead and is set right strikes again, in this process and whatever it has left behind", async () => {
    world = await startWorld();
    await scheduled({ schedule: "0 5 * * *" });
    await world.db.pool.query("update connections set updated_at = '2026-11-10T12:00:00Z'");
    let now = new Date("2026-12-24T09:00:00Z");
    const schedule = await startSchedule({ db: world.db, log: silentLog, reloadMs: 3_600_000, now: () => now });
    schedules.push(schedule);
    now = new Date("2026-11-14T09:00:00Z");
    await schedule.reload();
    await schedule.reload();
    now = new Date("2026-11-15T09:00:00Z");
    await schedule.reload();
    expect(await jobs("sync")).toEqual(
      ["2026-12-24", "2026-11-14", "2026-11-15"].map((day) => `sync:${world.connectionId}:${day}T05:00:00.000Z`),
    );
  });

  test.each(["prune_runs", "look_for_incidents", "keep_hooks"])(
    "what is done every so often does not wait for a clock that was ahead: %s",
    async (key) => {
      world = await startWorld();
      await world.db.pool.query(
        "insert into watermarks (key, at) values ($1, '2099-01-01') on conflict (key) do update set at = excluded.at",
        [key],
      );
      await start(new Date("2026-11-14T09:00:00Z"));
      const { rows } = await world.db.pool.query("select at from watermarks where key = $1", [key]);
      expect(rows).toEqual([{ at: new Date("2026-11-14T09:00:00Z") }]);
    },
  );

  test("M2: what a connection missed before it was changed is not made up for", async () => {
    world = await startWorld();
    await scheduled({ schedule: "0 5 * * *" });
    await world.db.pool.query("update connections set updated_at = '2026-11-14T08:00:00Z'");
    await start(new Date("2026-11-14T09:00:00Z"));
    expect(await jobs("sync")).toEqual([]);
  });

  test("invariant 3: a clock that can't reach the database when it strikes strikes later", async () => {
    world = await startWorld();
    await scheduled({ schedule: "0 5 * * *" });
    await world.db.pool.query("update connections set updated_at = '2026-11-13T08:00:00Z'");
    let now = new Date("2026-11-14T04:59:00Z");
    const schedule = await startSchedule({ db: world.db, log: silentLog, reloadMs: 3_600_000, now: () => now });
    schedules.push(schedule);
    now = new Date("2026-11-14T05:02:00Z");
    await world.db.pool.query("alter table watermarks rename to watermarks_away");
    await expect(schedule.reload()).rejects.toThrow("watermarks");
    await world.db.pool.query("alter table watermarks_away rename to watermarks");
    expect(await jobs("sync")).toEqual([]);
    await schedule.reload();
    expect(await jobs("sync")).toEqual([`sync:${world.connectionId}:2026-11-14T05:00:00.000Z`]);
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
