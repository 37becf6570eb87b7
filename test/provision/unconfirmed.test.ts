import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Fault, type Target } from "../../connectors/contract.ts";
import { deliver } from "../../src/provision/deliver.ts";
import { projectTarget } from "../../src/provision/project.ts";
import { startWorld, type World } from "./world.ts";

let world: World;
let anna: string;
beforeEach(async () => {
  world = await startWorld({ policy: { groups: "all" } });
  [anna = ""] = await world.addPeople(["anna"]);
});
afterEach(() => world.stop());

type Call = "update" | "enable" | "disable" | "remove" | "find" | "create" | "members";

interface Interruption {
  call: Call;
  /** What happens while the application is at it. */
  meanwhile?: () => Promise<void>;
  /** What the caller sees of it; the application does its work all the same. */
  ends?: Error;
  /** The application refuses, and does nothing. */
  refused?: boolean;
}

const died = new Error("the process died");

/** Decides about everybody who is marked, and delivers nothing. */
async function decide(): Promise<void> {
  await projectTarget(world.ctx, { db: world.db, connection: await world.targets.load(world.db.pool, world.connectionId) });
}

/** One delivery, in the middle of whose call something happens. */
async function interrupted(subject: string, { call, meanwhile, ends, refused }: Interruption): Promise<void> {
  await decide();
  const wrapped = (target: Target): Target => ({
    ...target,
    [call]: async (...given: unknown[]) => {
      const answer = refused ? undefined : await (target[call] as (...all: unknown[]) => Promise<unknown>)(...given);
      await meanwhile?.();
      if (ends) throw ends;
      return answer;
    },
  });
  const targets = {
    ...world.targets,
    withTarget: <T>(connection: Parameters<World["targets"]["withTarget"]>[0], use: (target: Target) => Promise<T>) =>
      world.targets.withTarget(connection, (target) => use(wrapped(target))),
  };
  const projectionId = (await world.projections())[subject]?.id ?? 0;
  await deliver(world.ctx, { db: world.db, targets, projectionId }).catch((error: unknown) => {
    if (error !== died) throw error;
  });
}

const leaves = () => world.setPerson(anna, { active: false });
const returns = () => world.setPerson(anna, { active: true });

describe.each([
  ["whose answer was lost", new Fault("transient", "no answer")],
  ["that the process did not survive", died],
])("a call %s", (_title, ends) => {
  test("invariant 3: who left is disabled, though the application had just let them in again", async () => {
    await world.drain();
    await leaves();
    await world.drain();
    await returns();
    await interrupted("anna", { call: "enable", ends });
    expect(world.user("anna")).toMatchObject({ active: true });
    await leaves();
    await world.drain({ hurry: true });
    expect(world.user("anna")).toMatchObject({ active: false });
    expect((await world.projections())["anna"]).toMatchObject({ state: "idle", delivered_state: "disabled" });
  });

  test("invariant 3: who came back is active, though the application had just disabled them", async () => {
    await world.drain();
    await leaves();
    await interrupted("anna", { call: "disable", ends });
    await returns();
    await world.drain({ hurry: true });
    expect(world.user("anna")).toMatchObject({ active: true });
    expect((await world.projections())["anna"]).toMatchObject({ state: "idle", delivered_state: "present" });
  });

  test("invariant 3: a value that was taken back is taken back at the application too", async () => {
    await world.drain();
    await world.setPerson(anna, { attributes: { displayName: "Anna the Great", title: "Queen" } });
    await interrupted("anna", { call: "update", ends });
    expect(world.user("anna")).toMatchObject({ displayName: "Anna the Great", title: "Queen" });
    await world.setPerson(anna, { attributes: { displayName: "ANNA", title: null } });
    await world.drain({ hurry: true });
    expect(world.user("anna")).toMatchObject({ displayName: "ANNA" });
    expect(world.user("anna")?.["title"]).toBeUndefined();
  });

  test("invariant 3: who was put into a group there is taken out of it", async () => {
    const [bert = ""] = await world.addPeople(["bert"]);
    const group = await world.addGroup("Crew", [anna]);
    await world.drain({ hurry: true });
    await world.join(group, [bert]);
    await interrupted("Crew", { call: "members", ends });
    expect(world.downstream.groups()[0]?.["members"]).toHaveLength(2);
    await world.leave(group, [bert]);
    await world.drain({ hurry: true });
    expect(world.downstream.groups()[0]?.["members"]).toEqual([expect.objectContaining({ value: world.user("anna")?.id })]);
  });

  test("invariant 3: who was taken out of a group there and came back is in it", async () => {
    const [bert = ""] = await world.addPeople(["bert"]);
    const group = await world.addGroup("Crew", [anna, bert]);
    await world.drain({ hurry: true });
    await world.leave(group, [bert]);
    await interrupted("Crew", { call: "members", ends });
    expect(world.downstream.groups()[0]?.["members"]).toHaveLength(1);
    await world.join(group, [bert]);
    await world.drain({ hurry: true });
    expect(world.downstream.groups()[0]?.["members"]).toHaveLength(2);
  });

  test("invariant 3: who was put into a new group there is taken out of it", async () => {
    const [bert = ""] = await world.addPeople(["bert"]);
    await world.drain({ hurry: true });
    const group = await world.addGroup("Crew", [anna, bert]);
    await interrupted("Crew", { call: "members", ends });
    expect(world.downstream.groups()[0]?.["members"]).toHaveLength(2);
    await world.leave(group, [bert]);
    await world.drain({ hurry: true });
    expect(world.downstream.groups()[0]?.["members"]).toHaveLength(1);
  });
});

describe("a decision made while the application was at an older one", () => {
  const decideThatSheLeaves = async () => {
    await leaves();
    await decide();
  };

  test.each([
    ["refused", new Fault("rejected", "displayName is too long")],
    ["not answered", new Fault("transient", "no answer")],
  ])("M4: who left is disabled at once, though the change before it was %s", async (_title, ends) => {
    await world.drain();
    await world.setPerson(anna, { attributes: { displayName: "A".repeat(99) } });
    await interrupted("anna", { call: "update", meanwhile: decideThatSheLeaves, ends, refused: true });
    expect((await world.projections())["anna"]).toMatchObject({ state: "waiting", desired_state: "disabled", attempts: 0 });
    await world.drain();
    expect(world.user("anna")).toMatchObject({ active: false });
    expect((await world.projections())["anna"]).toMatchObject({ state: "idle", delivered_state: "disabled" });
  });

  test("M4: who left before the application was told to make them is not made; who left meanwhile is disabled", async () => {
    await interrupted("anna", { call: "find", meanwhile: decideThatSheLeaves });
    expect(world.downstream.users()).toEqual([]);
    await returns();
    await interrupted("anna", { call: "create", meanwhile: decideThatSheLeaves });
    await world.drain();
    expect(world.user("anna")).toMatchObject({ active: false });
    expect((await world.projections())["anna"]).toMatchObject({ state: "idle", delivered_state: "disabled" });
  });

  test.each([
    ["went through", undefined],
    ["was not answered", new Fault("transient", "no answer")],
    ["was refused", new Fault("rejected", "no")],
  ])("B2: what a guard holds stays held, though the change before it %s", async (_title, ends) => {
    await world.drain();
    await world.db.pool.query(`update connections set policy = jsonb_set(policy, '{provision,limits}', '{"disable": {"count": 0}}')`);
    await world.setPerson(anna, { attributes: { displayName: "Anna the Great" } });
    await interrupted("anna", { call: "update", meanwhile: decideThatSheLeaves, ...(ends ? { ends } : {}) });
    await world.drain({ hurry: true });
    expect(world.user("anna")).toMatchObject({ active: true });
    expect((await world.projections())["anna"]).toMatchObject({ state: "held", last_error: expect.stringContaining("held: ") });
  });
});
