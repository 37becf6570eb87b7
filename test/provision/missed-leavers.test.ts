import { afterEach, describe, expect, test } from "@jest/globals";
import { changeConnection } from "../../src/connections/change-connection.ts";
import { findConnection } from "../../src/connections/open.ts";
import { flagConnection, resumeConnection } from "../../src/connections/state.ts";
import { markGroups } from "../../src/directory/outbox.ts";
import { retryDeliveries } from "../../src/provision/letters.ts";
import { wakeWhatWaits } from "../../src/provision/wake.ts";
import { startWorld, type World } from "./world.ts";

let world: World;
afterEach(() => world.stop());

const DAY_MS = 86_400_000;

const change = (values: Record<string, unknown>) =>
  world.work(async (work) => {
    const row = await findConnection(work.sql, world.connectionId);
    await changeConnection(work, { row, change: values, keyRing: world.keyRing, folders: [] });
  });

/** Wakes removals whose time has come, as the worker does by their jobs. */
async function dueNow(): Promise<void> {
  await world.db.pool.query("update graphile_worker._private_jobs set run_at = now() where key like 'remove:%' and run_at <= $1", [
    world.clock.now(),
  ]);
  await world.work(wakeWhatWaits);
  await world.drain({ hurry: true });
}

test("invariant 4: who left while a target's policy spoke of nobody is disabled once the same policy is back", async () => {
  world = await startWorld();
  const [anna = ""] = await world.addPeople(["anna"]);
  await world.drain({ hurry: true });
  await change({ policy: {} });
  await world.work(wakeWhatWaits);
  await world.drain({ hurry: true });
  await world.setPerson(anna, { active: false });
  await world.addPeople(["cleo"]);
  await change({ policy: { provision: {} } });
  await world.work(wakeWhatWaits);
  await world.drain({ hurry: true });
  expect(world.user("anna")).toMatchObject({ active: false });
  expect(world.user("cleo")).toMatchObject({ active: true });
});

describe.each(["deactivate", "delete"])("a leaver (%s) whose account was never confirmed", (leave) => {
  test("invariant 3: takes nothing from whoever has the name now", async () => {
    world = await startWorld({ policy: { leave, graceDays: 0 } });
    const [anna = ""] = await world.addPeople(["anna"]);
    world.downstream.failNext(1, { status: 503, method: "POST" });
    await world.drain();
    expect((await world.projections())["anna"]).toMatchObject({ delivered_state: "attempted" });
    await world.db.pool.query("update projections set state = 'dead'");
    await world.db.pool.query("update people set user_name = 'gone', email = null where id = $1", [anna]);
    await world.addPeople(["anna"]);
    await world.drain({ hurry: true });
    expect(world.user("anna")).toMatchObject({ active: true });
    await world.setPerson(anna, { active: false });
    await world.drain({ hurry: true });
    expect(world.user("anna")).toMatchObject({ active: true });
  });
});

test("invariant 3: a group whose making was never confirmed takes nothing from the one that has its name now", async () => {
  world = await startWorld({ policy: { leave: "delete", groups: ["Sales"] } });
  const [anna = ""] = await world.addPeople(["anna"]);
  await world.drain({ hurry: true });
  const first = await world.addGroup("Sales", [anna]);
  world.downstream.failNext(1, { status: 503, method: "POST" });
  await world.drain();
  await world.db.pool.query("update projections set state = 'dead' where group_id = $1", [first]);
  await world.db.pool.query("update groups set deleted_at = now() where id = $1", [first]);
  await world.addGroup("Sales", [anna]);
  await world.drain({ hurry: true });
  await world.work((work) => markGroups(work, { groupIds: [first] }));
  await world.drain({ hurry: true });
  expect(world.downstream.groups()).toMatchObject([{ displayName: "Sales", members: [{ value: world.user("anna")?.id }] }]);
});

const memberCount = () => (world.downstream.groups()[0]?.["members"] as unknown[] | undefined)?.length;

test("B2: whom a guard holds stays in the groups there, too", async () => {
  world = await startWorld({ policy: { groups: ["Sales"], limits: { disable: { floor: 1, share: 0.2 } } } });
  const people = await world.addPeople(["a", "b", "c", "d"]);
  await world.addGroup("Sales", people);
  await world.drain({ hurry: true });
  expect(memberCount()).toBe(4);
  await change({
    policy: { provision: { groups: ["Sales"], scope: 'person.userName == "a"', limits: { disable: { floor: 1, share: 0.2 } } } },
  });
  await world.drain({ hurry: true });
  expect(memberCount()).toBe(4);
  await world.work((work) => retryDeliveries(work, { connection: "app" }));
  await world.drain({ hurry: true });
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await world.drain({ hurry: true });
  expect(memberCount()).toBe(1);
});

describe("M4: an account is removed once its grace is over", () => {
  test("though a guard held the disable for longer", async () => {
    world = await startWorld({ policy: { leave: "delete", graceDays: 10, limits: { disable: { count: 0 } } } });
    const [anna = ""] = await world.addPeople(["anna", "bert"]);
    await world.drain({ hurry: true });
    await world.setPerson(anna, { active: false });
    await world.drain({ hurry: true });
    expect((await world.projections())["anna"]).toMatchObject({ state: "held" });
    world.clock.pass(11 * DAY_MS);
    await dueNow();
    await world.work((work) => retryDeliveries(work, { all: true }));
    await world.drain({ hurry: true });
    await dueNow();
    expect(world.user("anna")).toBeUndefined();
  });

  test("though the target was flagged for longer", async () => {
    world = await startWorld({ policy: { leave: "delete", graceDays: 10 } });
    const [anna = ""] = await world.addPeople(["anna", "bert"]);
    await world.drain({ hurry: true });
    await world.work((work) => flagConnection(work, { id: world.connectionId, state: "flagged", reason: "no" }));
    await world.setPerson(anna, { active: false });
    await world.drain({ hurry: true });
    world.clock.pass(11 * DAY_MS);
    await dueNow();
    await world.work((work) => resumeConnection(work, { name: "app" }));
    await dueNow();
    await dueNow();
    expect(world.user("anna")).toBeUndefined();
  });

  test("though they were suspended before", async () => {
    world = await startWorld({ policy: { leave: "delete", graceDays: 10 } });
    const [anna = ""] = await world.addPeople(["anna", "bert"]);
    await world.drain({ hurry: true });
    await world.setPerson(anna, { active: false, state: "suspended" });
    await world.drain({ hurry: true });
    await world.setPerson(anna, { state: "deactivated" });
    await world.drain({ hurry: true });
    expect(world.user("anna")).toMatchObject({ active: false });
    world.clock.pass(11 * DAY_MS);
    await dueNow();
    expect(world.user("anna")).toBeUndefined();
  });

  test("though the policy kept whoever left at first", async () => {
    world = await startWorld({ policy: { leave: "deactivate" } });
    const [anna = ""] = await world.addPeople(["anna", "bert"]);
    await world.drain({ hurry: true });
    await world.setPerson(anna, { active: false });
    await world.drain({ hurry: true });
    await change({ policy: { provision: { leave: "delete", graceDays: 10 } } });
    await world.drain({ hurry: true });
    world.clock.pass(11 * DAY_MS);
    await dueNow();
    expect(world.user("anna")).toBeUndefined();
  });
});

test("invariant 3: who comes back and can't be mapped is a dead letter however often it is tried again, and has a whole grace anew", async () => {
  const attributes = { userName: "person.userName", title: "string(100 / int(person.title))" };
  world = await startWorld({ policy: { leave: "delete", graceDays: 10, attributes } });
  const [anna = ""] = await world.addPeople(["anna"]);
  await world.setPerson(anna, { attributes: { title: "5" } });
  await world.drain({ hurry: true });
  await world.setPerson(anna, { active: false });
  await world.drain({ hurry: true });
  expect(world.user("anna")).toMatchObject({ active: false });
  world.clock.pass(9 * DAY_MS);
  await world.setPerson(anna, { active: true, attributes: { title: "0" } });
  await world.drain({ hurry: true });
  expect((await world.projections())["anna"]).toMatchObject({ state: "dead" });
  await world.work((work) => retryDeliveries(work, { all: true }));
  await world.drain({ hurry: true });
  expect((await world.projections())["anna"]).toMatchObject({ state: "dead" });
  world.clock.pass(2 * DAY_MS);
  await world.setPerson(anna, { active: false });
  await dueNow();
  expect(world.user("anna")).toMatchObject({ active: false });
});
