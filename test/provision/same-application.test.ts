import { afterEach, expect, test } from "@jest/globals";
import { flagConnection } from "../../src/connections/state.ts";
import { addConnection } from "../../src/connections/store.ts";
import { projectTarget } from "../../src/provision/project.ts";
import { deliver } from "../../src/provision/deliver.ts";
import { startWorld, type World } from "./world.ts";

const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const of = (department: string) => `person.department == "${department}"`;

let world: World;
afterEach(() => world.stop());

/** A second target that writes the same application. */
async function addSecond(scope: string): Promise<number> {
  const { url, token } = world.downstream;
  const settings = { url: `${url}/`, token };
  const definition = { name: "second", connector: "scim", settings, policy: { provision: { scope } } };
  return (await world.work((work) => addConnection(work, { keyRing: world.keyRing, definition }))).id;
}

async function decideAndDeliver(connectionId: number): Promise<void> {
  await projectTarget(world.ctx, { db: world.db, connection: await world.targets.load(world.db.pool, connectionId) });
  const { rows } = await world.db.pool.query<{ id: number }>("select id from projections where connection_id = $1 order by id", [
    connectionId,
  ]);
  for (const { id } of rows) await deliver(world.ctx, { db: world.db, targets: world.targets, projectionId: id });
}

test.each(["deactivate", "delete"])(
  "M4: who moves from one target's scope (%s) into another's, of the same application, keeps the account, whichever is first",
  async (leave) => {
    world = await startWorld({ policy: { scope: of("A"), leave, graceDays: 0 } });
    const second = await addSecond(of("B"));
    const people = await world.addPeople(["anna", "bert"], { department: "A" });
    await world.drain({ hurry: true });
    const before = world.user("anna")?.id;
    for (const [index, [id, order]] of [
      [people[0] ?? "", [second, world.connectionId]] as const,
      [people[1] ?? "", [world.connectionId, second]] as const,
    ].entries()) {
      await world.setPerson(id, { attributes: { [ENTERPRISE]: { department: "B" } } });
      for (const connectionId of order) await decideAndDeliver(connectionId);
      expect(world.user(["anna", "bert"][index] ?? "")).toMatchObject({ active: true, [ENTERPRISE]: { department: "B" } });
    }
    expect(world.user("anna")?.id).toBe(before);
    await world.drain({ hurry: true });
    expect(world.downstream.users()).toMatchObject([{ active: true }, { active: true }]);
    // Who leaves, leaves.
    for (const id of people) await world.setPerson(id, { active: false });
    await world.drain({ hurry: true });
    expect(world.downstream.users()).toMatchObject([{ active: false }, { active: false }]);
  },
);

test("M4: who leaves is out by the first target of an application that can say so, though the other is flagged", async () => {
  world = await startWorld();
  const second = await addSecond("true");
  const [anna = ""] = await world.addPeople(["anna"]);
  await world.drain({ hurry: true });
  await world.work((work) => flagConnection(work, { id: second, state: "flagged", reason: "the token has expired" }));
  await world.setPerson(anna, { active: false });
  await decideAndDeliver(world.connectionId);
  await world.drain({ hurry: true });
  expect(world.downstream.users()).toMatchObject([{ active: false }]);
});

test("M4: the account that one target has of somebody is nobody else's by another of the same application", async () => {
  world = await startWorld({ policy: { scope: of("A") } });
  await addSecond(of("B"));
  const [anna = ""] = await world.addPeople(["anna"], { department: "A" });
  await world.drain({ hurry: true });
  await world.setPerson(anna, { active: false });
  await world.drain({ hurry: true });
  const left = world.user("anna");
  // Somebody new gets the name of who left.
  await world.db.pool.query("update people set user_name = 'anna-who-left', email = null where id = $1", [anna]);
  await world.addPeople(["anna"], { department: "B" });
  await world.drain({ hurry: true });
  expect(world.downstream.users()).toEqual([left]);
  const { rows } = await world.db.pool.query("select last_error from projections where state = 'dead'");
  expect(rows).toMatchObject([{ last_error: expect.stringContaining("belongs to another person already") }]);
});
