import { afterEach, describe, expect, test } from "@jest/globals";
import { Fault, type Target } from "../../connectors/contract.ts";
import { changeConnection } from "../../src/connections/change-connection.ts";
import { findConnection } from "../../src/connections/open.ts";
import { resumeConnection } from "../../src/connections/state.ts";
import { deliver } from "../../src/provision/deliver.ts";
import { listDeliveries, retryDeliveries } from "../../src/provision/letters.ts";
import { projectTarget } from "../../src/provision/project.ts";
import { wakeWhatWaits } from "../../src/provision/wake.ts";
import { startWorld, type World, type WorldOptions } from "./world.ts";

let world: World;
const start = async (options?: WorldOptions) => (world = await startWorld(options));
afterEach(() => world.stop());

const waitsUntil = async () => {
  const { rows } = await world.db.pool.query<{ run_at: Date }>("select run_at from graphile_worker.jobs where task_identifier = 'deliver'");
  return rows[0]?.run_at;
};

describe("faults of a target", () => {
  test("M4: transient is tried again with backoff, and ends the same", async () => {
    await start();
    world.downstream.failNext(2, { status: 500 });
    await world.addPeople(["anna"]);
    await world.drain();
    expect((await world.projections())["anna"]).toMatchObject({
      state: "retrying",
      attempts: 1,
      last_error: expect.stringContaining("answered 500"),
    });
    await world.drain({ hurry: true });
    expect(world.downstream.users()).toHaveLength(1);
    const { rows } = await world.db.pool.query("select state, fault_kind, attempt from deliveries order by id");
    expect(rows).toEqual([
      { state: "failed", fault_kind: "transient", attempt: 1 },
      { state: "failed", fault_kind: "transient", attempt: 2 },
      { state: "delivered", fault_kind: null, attempt: 3 },
    ]);
  });

  test("throttled waits as long as the target asks", async () => {
    await start();
    await world.addPeople(["anna"]);
    world.downstream.failNext(1, { status: 429, retryAfter: "120", method: "POST" });
    const from = world.clock.now();
    await world.drain();
    expect((await world.projections())["anna"]).toMatchObject({ state: "retrying" });
    expect((await waitsUntil())?.getTime()).toBeGreaterThanOrEqual(from.getTime() + 120_000);
    world.clock.pass(120_000);
    await world.drain({ hurry: true });
    expect(world.user("anna")).toMatchObject({ active: true });
  });

  test("M4: a target that asks to be left alone is left alone by everybody, and nobody's tries are used up meanwhile", async () => {
    await start();
    const names = Array.from({ length: 12 }, (_, index) => `person${index}`);
    await world.addPeople(names);
    world.downstream.failNext(1, { status: 429, retryAfter: "120", method: "POST" });
    await world.drain();
    // At most those who were under way: the world works off three at once.
    expect(world.downstream.users().length).toBeLessThanOrEqual(2);
    expect(Object.values(await world.projections()).filter(({ attempts }) => attempts > 0)).toHaveLength(1);
    world.clock.pass(120_000);
    await world.drain({ hurry: true });
    expect(world.downstream.users()).toHaveLength(names.length);
  });

  test("rejected is a dead letter with the target's own words, which an admin can send again", async () => {
    await start();
    world.downstream.failNext(1, { status: 400, method: "POST", detail: "displayName is too long" });
    await world.addPeople(["anna", "bert"]);
    await world.drain();
    const letters = await listDeliveries(world.db.pool, { state: "dead" });
    expect(letters).toHaveLength(1);
    expect(letters[0]).toMatchObject({
      connection: "app",
      kind: "user",
      state: "dead",
      reason: expect.stringContaining("displayName is too long"),
    });
    expect(world.downstream.users()).toHaveLength(1);
    expect(await world.work((work) => retryDeliveries(work, { ids: [letters[0]?.id ?? 0] }))).toBe(1);
    await world.drain();
    expect(world.downstream.users()).toHaveLength(2);
    expect(await listDeliveries(world.db.pool)).toEqual([]);
    const { rows } = await world.db.pool.query(
      "select name from audit_events where name in ('delivery.dead', 'delivery.retried') order by id",
    );
    expect(rows.map(({ name }) => name)).toEqual(["delivery.dead", "delivery.retried"]);
  });

  test.each([405, 501, 500, 400])(
    "M4: who leaves and can't be removed there (%i) is disabled at least, and keeps nobody else waiting",
    async (status) => {
      await start({ policy: { leave: "delete", graceDays: 0 } });
      const [anna = ""] = await world.addPeople(["anna"]);
      await world.drain({ hurry: true });
      world.downstream.failNext(100, { status, method: "DELETE" });
      await world.setPerson(anna, { active: false });
      await world.drain();
      expect(world.user("anna")).toMatchObject({ active: false });
      expect((await world.projections())["anna"]).toMatchObject({
        desired_state: "removed",
        state: status === 500 ? "retrying" : "dead",
        last_error: expect.stringContaining(String(status)),
      });
      await world.addPeople(["bert"]);
      await world.drain();
      expect(world.user("bert")).toMatchObject({ active: true });
    },
  );

  test("M4: who comes back changed to an application that takes no change of whoever is out is let in, and changed", async () => {
    await start();
    const [anna = ""] = await world.addPeople(["anna"]);
    await world.drain({ hurry: true });
    await world.setPerson(anna, { active: false });
    await world.drain({ hurry: true });
    world.downstream.failNext(1, { status: 400, method: "PATCH", detail: "The user is deactivated and can't be changed" });
    await world.setPerson(anna, { active: true, attributes: { title: "Head" } });
    await world.drain();
    expect(world.user("anna")).toMatchObject({ active: true, title: "Head" });
    expect(await listDeliveries(world.db.pool)).toEqual([]);
    // Of whoever is in, a refusal is a dead letter at once.
    world.downstream.failNext(1, { status: 400, method: "PATCH", detail: "no" });
    await world.setPerson(anna, { attributes: { title: "Chief" } });
    await world.drain();
    expect(await listDeliveries(world.db.pool)).toMatchObject([{ state: "dead", attempts: 1 }]);
  });

  test("M4: who leaves an application that is away for longer than a letter is tried is out once it is back, and told of once", async () => {
    await start();
    const [anna = "", bert = ""] = await world.addPeople(["anna", "bert"]);
    await world.drain({ hurry: true });
    // Each is tried on its own, 25 times.
    world.downstream.failNext(50, { status: 503, method: "PATCH" });
    await world.setPerson(anna, { active: false });
    await world.setPerson(bert, { attributes: { title: "Head" } });
    await world.drain({ hurry: true });
    const states = async () => (await listDeliveries(world.db.pool)).map(({ subject, state }) => `${subject} ${state}`).sort();
    expect(await states()).toEqual(["anna dead", "bert dead"]);
    await world.work(wakeWhatWaits);
    await world.drain();
    expect(world.user("anna")).toMatchObject({ active: true });
    world.downstream.failNext(1, { status: 503, method: "PATCH" });
    for (const expected of [["anna dead", "bert dead"], ["bert dead"]]) {
      world.clock.pass(3_600_000);
      await world.work(wakeWhatWaits);
      await world.drain();
      expect(await states()).toEqual(expected);
    }
    expect(world.user("anna")).toMatchObject({ active: false });
    const { rows } = await world.db.pool.query("select from audit_events where name = 'delivery.dead'");
    expect(rows).toHaveLength(2);
  });

  test("retrying what does not exist is refused", async () => {
    await start();
    await expect(world.work((work) => retryDeliveries(work, { ids: [4711] }))).rejects.toMatchObject({ code: "not_found" });
  });

  test("denied flags the connection, keeps what waits, and goes on when it is resumed", async () => {
    await start();
    world.downstream.failNext(1, { status: 401 });
    await world.addPeople(["anna"]);
    await world.drain();
    const {
      rows: [connection],
    } = await world.db.pool.query("select state, state_reason from connections where name = 'app'");
    expect(connection).toMatchObject({ state: "flagged", state_reason: expect.stringContaining("Check the credential") });
    expect((await world.projections())["anna"]).toMatchObject({ state: "waiting", attempts: 0 });
    const before = world.downstream.requestCount();
    await world.drain({ hurry: true });
    expect(world.downstream.requestCount()).toBe(before);
    await world.work((work) => resumeConnection(work, { name: "app" }));
    await world.work(wakeWhatWaits);
    await world.drain();
    expect(world.user("anna")).toMatchObject({ active: true });
  });

  test("M4: what an older credential met does not stop the connection whose credential was changed meanwhile", async () => {
    await start();
    await world.addPeople(["anna"]);
    await projectTarget(world.ctx, { db: world.db, connection: await world.targets.load(world.db.pool, world.connectionId) });
    const rotated = (target: Target): Target => ({
      ...target,
      async create() {
        await world.work(async (work) => {
          const row = await findConnection(work.sql, world.connectionId);
          const { url, token } = world.downstream;
          await changeConnection(work, {
            row,
            change: { settings: { url, token, timeoutMs: 20_000 } },
            keyRing: world.keyRing,
            folders: [],
          });
        });
        throw new Fault("denied", "the token was revoked");
      },
    });
    const targets: World["targets"] = {
      ...world.targets,
      withTarget: (connection, use) => world.targets.withTarget(connection, (target) => use(rotated(target))),
    };
    await deliver(world.ctx, { db: world.db, targets, projectionId: (await world.projections())["anna"]?.id ?? 0 });
    expect((await world.projections())["anna"]).toMatchObject({ state: "retrying", last_error: "the token was revoked" });
    await world.drain({ hurry: true });
    expect(world.user("anna")).toMatchObject({ active: true });
  });

  test("gone on disable is success", async () => {
    await start();
    const [anna = ""] = await world.addPeople(["anna"]);
    await world.drain();
    world.downstream.forget(world.user("anna")?.id ?? "");
    await world.setPerson(anna, { active: false });
    await world.drain();
    expect((await world.projections())["anna"]).toMatchObject({ state: "idle", delivered_state: "removed", native_id: null });
    await world.setPerson(anna, { active: true });
    await world.drain();
    expect(world.user("anna")).toMatchObject({ active: true });
  });

  test("gone on update is made again when it is still wanted", async () => {
    await start();
    const [anna = ""] = await world.addPeople(["anna"]);
    await world.drain();
    world.downstream.forget(world.user("anna")?.id ?? "");
    await world.setPerson(anna, { attributes: { title: "Lead" } });
    await world.drain();
    expect(world.user("anna")).toMatchObject({ title: "Lead", active: true });
  });

  test("exists on create finds and links", async () => {
    await start({ settings: { serviceProvider: { filter: true } } });
    await world.addPeople(["anna"]);
    // The find before the create is answered before the account is there.
    world.downstream.failNext(1, { status: 409, method: "POST", detail: "taken" });
    world.downstream.seedUser({ userName: "ANNA" });
    await world.drain();
    expect(world.downstream.users()).toHaveLength(1);
    expect((await world.projections())["anna"]).toMatchObject({ state: "idle", native_id: world.user("anna")?.id });
  });

  test("invariant 3: an account that was made and not confirmed is disabled when its person leaves meanwhile", async () => {
    await start();
    const [anna = ""] = await world.addPeople(["anna"]);
    // What a process that died between the application's answer and its own commit leaves behind.
    await world.drain();
    await world.db.pool.query(
      "update projections set native_id = null, delivered = null, delivered_hash = null, delivered_state = 'attempted', delivered_at = null, state = 'waiting'",
    );
    await world.setPerson(anna, { active: false });
    await world.drain();
    expect(world.user("anna")).toMatchObject({ active: false });
    expect((await world.projections())["anna"]).toMatchObject({ state: "idle", delivered_state: "disabled" });
  });

  test("invariant 3: two workers never deliver one account at once", async () => {
    await start();
    await world.addPeople(["anna"]);
    await world.drain();
    await world.db.pool.query(
      "update projections set state = 'waiting', desired = desired || '{\"title\": \"Lead\"}', desired_hash = '\\x01'",
    );
    world.downstream.delayAnswers(300);
    const id = (await world.projections())["anna"]?.id ?? 0;
    const outcomes = await Promise.all([1, 2, 3].map(() => deliver(world.ctx, { db: world.db, targets: world.targets, projectionId: id })));
    expect(outcomes.filter((outcome) => outcome === "delivered")).toHaveLength(1);
    // Whoever only came when all was done had nothing to do.
    for (const outcome of outcomes) expect(["delivered", "busy", "nothing"]).toContain(outcome);
    expect(world.downstream.requests()["PATCH /scim/Users/:id"]).toBe(1);
    expect(world.user("anna")).toMatchObject({ title: "Lead" });
  });
});
