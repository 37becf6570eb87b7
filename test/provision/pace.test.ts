import { afterEach, describe, expect, test } from "@jest/globals";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { addConnection } from "../../src/connections/store.ts";
import { createHandlers } from "../../src/jobs/handlers.ts";
import { startQueue } from "../../src/jobs/queue.ts";
import { createPace, type Pace, type Pass } from "../../src/provision/pace.ts";
import { openTargets } from "../../src/provision/targets.ts";
import { silentLog } from "../helpers/database.ts";
import { until } from "../jobs/waiting.ts";
import { startWorld } from "./world.ts";

let now = 0;
const paceOf = (slowAtOnce: number) => createPace({ slowAtOnce, slowMs: 5_000, elapsed: () => now, random: () => 0 });

function begun(pace: Pace, target = 1): Extract<ReturnType<Pace["enter"]>, { leave: unknown }> {
  const entry = pace.enter(target);
  if ("putOffMs" in entry) throw new Error(`was put off for ${entry.putOffMs} ms`);
  return entry;
}

/** One delivery after the other that takes so long. */
function after(pace: Pace, { takes, pass, target = 1 }: { takes: number; pass: Pass; target?: number }): void {
  const { leave } = begun(pace, target);
  now += takes;
  leave(pass);
}

const putOff = (pace: Pace, target = 1) => {
  const entry = pace.enter(target);
  return "putOffMs" in entry ? entry.putOffMs : undefined;
};

describe("how many deliveries a target may have at once", () => {
  test("is nobody's business while it is quick", () => {
    const pace = paceOf(1);
    for (let count = 0; count < 10; count += 1) begun(pace);
  });

  test("M4: a target that hangs rests, the longer the oftener, and is asked by one at a time", () => {
    const pace = paceOf(2);
    after(pace, { takes: 30_000, pass: "silent" });
    expect(putOff(pace)).toBe(40_000);
    expect(putOff(pace)).toBe(50_000);
    now += 30_000;
    const probe = begun(pace);
    expect(putOff(pace)).toBeGreaterThan(0);
    now += 30_000;
    probe.leave("silent");
    now += 59_999;
    expect(putOff(pace)).toBeGreaterThan(0);
    now += 1;
    after(pace, { takes: 10, pass: "answered" });
    begun(pace);
    begun(pace);
    begun(pace);
  });

  test("those that began together tell of one silence", () => {
    const pace = paceOf(2);
    const both = [begun(pace), begun(pace)];
    now += 30_000;
    for (const each of both) each.leave("silent");
    now += 30_000;
    begun(pace);
  });

  test("M4: all slow targets together leave workers for the others, and nothing is put off for more than five minutes", () => {
    const pace = paceOf(2);
    for (const target of [1, 2, 3]) after(pace, { takes: 8_000, pass: "answered", target });
    begun(pace, 1);
    begun(pace, 2);
    expect(putOff(pace, 3)).toBe(8_000);
    begun(pace, 4);
    const waits = Array.from({ length: 200 }, () => putOff(pace, 3) ?? 0);
    expect(Math.max(...waits)).toBeLessThanOrEqual(300_000);
    expect(Math.min(...waits.slice(100))).toBe(150_000);
  });

  test("M4: a target that asks to be left alone is, for five minutes at most, and a delivery that was under way changes nothing of it", () => {
    const pace = paceOf(2);
    const [refused, other] = [begun(pace), begun(pace)];
    refused.leave("answered", { retryAfterMs: 60_000 });
    other.leave("answered");
    expect(putOff(pace)).toBe(60_050);
    expect(putOff(pace)).toBe(60_100);
    begun(pace, 2);
    now += 60_000;
    begun(pace).leave("answered", { retryAfterMs: 86_400_000 });
    const waits = Array.from({ length: 10_000 }, () => putOff(pace) ?? 0);
    expect(Math.max(...waits)).toBeLessThanOrEqual(300_000);
    expect(Math.min(...waits)).toBeGreaterThan(0);
    now += 300_000;
    begun(pace);
  });

  test("a delivery that hangs now tells of it before it ends, and one that asked for nothing tells nothing", () => {
    const pace = paceOf(1);
    const hanging = begun(pace);
    after(pace, { takes: 6_000, pass: "nothing" });
    expect(putOff(pace)).toBeGreaterThan(0);
    hanging.leave("answered");
    expect(putOff(pace)).toBeUndefined();
  });
});

describe("with workers", () => {
  const stops: (() => unknown)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  test("M4: an application that hangs keeps nobody waiting at another", async () => {
    let asked = 0;
    const hanging = createServer(() => void (asked += 1));
    stops.push(() => {
      hanging.closeAllConnections();
      hanging.close();
    });
    await new Promise<void>((resolve) => hanging.listen(0, "127.0.0.1", resolve));
    const world = await startWorld();
    stops.push(() => world.stop());
    const policy = { provision: {} };
    const settings = { url: `http://127.0.0.1:${(hanging.address() as AddressInfo).port}/scim`, token: "x", timeoutMs: 500 };
    const definition = { name: "hanging", connector: "scim", settings, policy };
    const { id } = await world.work((each) => addConnection(each, { keyRing: world.keyRing, definition }));
    await world.addPeople(Array.from({ length: 30 }, (_, at) => `person${at}`));
    // Whoever is to go to the one that hangs comes first.
    await world.db.pool.query("update graphile_worker._private_jobs set priority = -1 where (payload ->> 'connectionId')::int = $1", [id]);
    const targets = openTargets({
      keyRing: world.keyRing,
      log: silentLog,
      signal: world.ctx.signal,
      now: () => new Date(),
      network: world.ctx.network,
      pace: createPace({ slowAtOnce: 1, slowMs: 200 }),
    });
    stops.push(() => targets.close());
    const handlers = createHandlers({ db: world.db, keyRing: world.keyRing, targets });
    const queue = await startQueue({ db: world.db, log: silentLog, handlers, concurrency: 2, network: world.ctx.network });
    stops.push(() => queue.stop());
    await until(
      () => world.downstream.users().length,
      (count) => count === 30,
    );
    const { rows } = await world.db.pool.query<{ tries: number }>(
      "select count(*)::int as tries from deliveries where connection_id = $1",
      [id],
    );
    expect(rows[0]?.tries).toBeLessThan(15);
    await until(
      () => asked,
      (count) => count > 0,
    );
  });
});
