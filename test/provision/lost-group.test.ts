import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Fault, type Target } from "../../connectors/contract.ts";
import { markGroups } from "../../src/directory/outbox.ts";
import { deliver } from "../../src/provision/deliver.ts";
import { projectTarget } from "../../src/provision/project.ts";
import { startWorld, type World } from "./world.ts";

let world: World;
let group: string;
let anna: string;
afterEach(() => world.stop());

const decide = async () => {
  await projectTarget(world.ctx, { db: world.db, connection: await world.targets.load(world.db.pool, world.connectionId) });
};
const died = new Error("the process died");
type Call = "create" | "update";

/** The next call of this kind is carried out, or not, and its answer never comes. */
async function lost(ends: Error, { carriedOut = true, call = "create" }: { carriedOut?: boolean; call?: Call } = {}): Promise<void> {
  await world.work((work) => markGroups(work, { groupIds: [group] }));
  const wrapped = (target: Target): Target => ({
    ...target,
    [call]: async (...given: unknown[]) => {
      if (carriedOut) await (target[call] as (...all: unknown[]) => Promise<unknown>)(...given);
      throw ends;
    },
  });
  const { rows } = await world.db.pool.query<{ id: number }>("select id from projections where group_id = $1", [group]);
  const targets: World["targets"] = {
    ...world.targets,
    withTarget: (connection, use) => world.targets.withTarget(connection, (target) => use(wrapped(target))),
  };
  await decide();
  await deliver(world.ctx, { db: world.db, targets, projectionId: rows[0]?.id ?? 0 }).catch((error: unknown) => {
    if (error !== died) throw error;
  });
}

const change = (assignment: string, value: unknown) =>
  world.work(async (work) => {
    await work.sql.query(`update groups set ${assignment} where id = $1`, [group, value]);
    await markGroups(work, { groupIds: [group] });
  });
const rename = (to: string) => change("display_name = $2", to);
const remove = () => change("deleted_at = $2", world.clock.now());
const settle = () => world.drain({ hurry: true });
const groups = () => world.downstream.groups().map(({ displayName }) => displayName);

describe.each([
  ["whose answer was lost", new Fault("transient", "no answer")],
  ["that the process did not survive", died],
])("a group's create %s", (_title, ends) => {
  beforeEach(async () => {
    world = await startWorld({ policy: { groups: "all", leave: "delete" } });
    [anna = ""] = await world.addPeople(["anna"]);
    await settle();
    group = await world.addGroup("Sales", [anna]);
  });

  test("invariant 3: is found again by the name that it was sent with, though the group has another by now", async () => {
    await lost(ends);
    expect(groups()).toEqual(["Sales"]);
    await rename("Selling");
    await settle();
    expect(world.downstream.groups()).toMatchObject([{ displayName: "Selling", members: [{ value: world.user("anna")?.id }] }]);
  });

  test("invariant 3: is found again though the name changed twice and an answer was lost each time", async () => {
    await lost(ends);
    await rename("Selling");
    await lost(ends, { call: "update" });
    expect(groups()).toEqual(["Selling"]);
    await rename("Markets");
    await settle();
    expect(world.downstream.groups()).toMatchObject([{ displayName: "Markets", members: [{ value: world.user("anna")?.id }] }]);
  });

  test("invariant 3: goes with its group, though that had another name meanwhile", async () => {
    await lost(ends);
    await rename("Selling");
    await decide();
    await remove();
    await settle();
    expect(groups()).toEqual([]);
  });

  test("invariant 3: in the place of a group that is gone is found again", async () => {
    await settle();
    world.downstream.forgetGroup(world.downstream.groups()[0]?.id ?? "");
    await rename("Selling");
    await lost(ends);
    await rename("Markets");
    await settle();
    expect(world.downstream.groups()).toMatchObject([{ displayName: "Markets", members: [{ value: world.user("anna")?.id }] }]);
  });

  test("invariant 3: that did not happen takes nothing from another group here that has the older name by now", async () => {
    await lost(ends, { carriedOut: false });
    await rename("Selling");
    await world.addGroup("Sales", [anna]);
    await settle();
    expect(groups().sort()).toEqual(["Sales", "Selling"]);
  });

  test("invariant 3: that did not happen takes nothing from a stranger's group of the older name", async () => {
    await lost(ends, { carriedOut: false });
    const { url, token } = world.downstream;
    const body = { schemas: ["urn:ietf:params:scim:schemas:core:2.0:Group"], displayName: "Sales", externalId: "strangers" };
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/scim+json" };
    expect((await fetch(`${url}/Groups`, { method: "POST", headers, body: JSON.stringify(body) })).status).toBe(201);
    await rename("Selling");
    await decide();
    await settle();
    expect(groups().sort()).toEqual(["Sales", "Selling"]);
    await remove();
    await settle();
    expect(groups()).toEqual(["Sales"]);
  });
});
