import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Target } from "../../connectors/contract.ts";
import { startDownstream, type Downstream } from "../../demo/downstream.ts";
import { changeConnection } from "../../src/connections/change-connection.ts";
import { findConnection } from "../../src/connections/open.ts";
import { deliver } from "../../src/provision/deliver.ts";
import { projectTarget } from "../../src/provision/project.ts";
import { startWorld, type World } from "./world.ts";

let world: World;
let other: Downstream;
beforeEach(async () => {
  other = await startDownstream();
});
afterEach(async () => {
  await world.stop();
  await other.stop();
});

const moveTo = (url: string) =>
  world.work(async (work) => {
    const row = await findConnection(work.sql, world.connectionId);
    await changeConnection(work, {
      row,
      change: { settings: { url, token: url.startsWith(other.url) ? other.token : world.downstream.token } },
      keyRing: world.keyRing,
      folders: [],
    });
  });
const settle = () => world.drain({ hurry: true });
const idOf = (userName: string) => other.users().find((user) => user["userName"] === userName)?.id ?? "";
const members = () => ((other.groups()[0]?.["members"] ?? []) as { value: string }[]).map(({ value }) => value).sort();
/** Somebody at the other application who has the id that one of ours has at the first. */
function seedStranger(as: string): void {
  other.seedUser({ id: world.user(as)?.id, userName: "stranger", displayName: "Stranger", active: true });
}
const stranger = () => other.users().find(({ userName }) => userName === "stranger");

describe("a target whose URL leads to another application", () => {
  test("M4: has everybody there, made or found by name, and whoever stands there under an id of before is left alone", async () => {
    world = await startWorld({ policy: { groups: ["Sales"] } });
    const [anna = "", bert = "", cleo = ""] = await world.addPeople(["anna", "bert", "cleo"]);
    await world.addGroup("Sales", [anna, bert, cleo]);
    await settle();
    seedStranger("anna");
    const found = other.seedUser({ userName: "bert", active: true }).id;
    await moveTo(other.url);
    await world.setPerson(anna, { attributes: { displayName: "Anna Married" } });
    await settle();
    expect(stranger()).toMatchObject({ displayName: "Stranger", active: true });
    expect(other.users()).toHaveLength(4);
    expect(other.users().find(({ userName }) => userName === "anna")).toMatchObject({ displayName: "Anna Married", active: true });
    expect(idOf("bert")).toBe(found);
    expect(other.groups()).toHaveLength(1);
    expect(members()).toEqual(["anna", "bert", "cleo"].map((name) => idOf(name)).sort());
  });

  test("M4, invariant 4: disables and removes nobody by an id of before, and who leaves at that moment is out there", async () => {
    world = await startWorld();
    const [anna = "", bert = ""] = await world.addPeople(["anna", "bert"]);
    await settle();
    seedStranger("anna");
    other.seedUser({ userName: "bert", active: true });
    await world.setPerson(anna, { active: false });
    await world.setPerson(bert, { active: false });
    await moveTo(other.url);
    await settle();
    expect(stranger()).toMatchObject({ active: true });
    expect(other.users().find(({ userName }) => userName === "bert")).toMatchObject({ active: false });
  });

  test.each(["create", "update"] as const)("M4: takes no id from a %s that was under way at the one before", async (call) => {
    world = await startWorld();
    const [anna = ""] = await world.addPeople(["anna"]);
    if (call === "update") {
      await settle();
      await world.setPerson(anna, { attributes: { displayName: "Anna Married" } });
    }
    await projectTarget(world.ctx, { db: world.db, connection: await world.targets.load(world.db.pool, world.connectionId) });
    const meanwhile = (target: Target): Target => ({
      ...target,
      async [call](...given: unknown[]) {
        const answer: unknown = await (target[call] as (...all: unknown[]) => Promise<unknown>)(...given);
        await moveTo(other.url);
        return answer;
      },
    });
    const targets: World["targets"] = {
      ...world.targets,
      withTarget: (connection, use) => world.targets.withTarget(connection, (target) => use(meanwhile(target))),
    };
    await deliver(world.ctx, { db: world.db, targets, projectionId: (await world.projections())["anna"]?.id ?? 0 });
    await settle();
    expect((await world.projections())["anna"]).toMatchObject({ state: "idle", native_id: idOf("anna"), delivered_state: "present" });
    expect(other.users()).toHaveLength(1);
  });
});

test("M4: a target whose URL leads to the same application as before keeps its accounts and asks nothing", async () => {
  world = await startWorld();
  await world.addPeople(["anna"]);
  await settle();
  const before = [world.downstream.requestCount(), await world.projections()];
  await moveTo(`${world.downstream.url}/`);
  await settle();
  expect([world.downstream.requestCount(), await world.projections()]).toEqual(before);
});
