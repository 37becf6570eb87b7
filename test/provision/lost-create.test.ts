import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Fault, type Target } from "../../connectors/contract.ts";
import { erasePerson, finishErasures } from "../../src/directory/erasure.ts";
import { deliver } from "../../src/provision/deliver.ts";
import { projectTarget } from "../../src/provision/project.ts";
import { startWorld, type World, type WorldOptions } from "./world.ts";

let world: World;
let anna: string;
const start = async (options?: WorldOptions) => {
  world = await startWorld(options);
  [anna = ""] = await world.addPeople(["anna"]);
};
afterEach(() => world.stop());

const decide = async () => {
  await projectTarget(world.ctx, { db: world.db, connection: await world.targets.load(world.db.pool, world.connectionId) });
};

const died = new Error("the process died");

interface Loss {
  ends: Error;
  carriedOut?: boolean;
  call?: "create" | "update";
}

/** One delivery whose call is carried out, or not, and whose answer never comes. */
async function lost(subject: string, { ends, carriedOut = true, call = "create" }: Loss): Promise<void> {
  await decide();
  const wrapped = (target: Target): Target => ({
    ...target,
    [call]: async (...given: unknown[]) => {
      if (carriedOut) await (target[call] as (...all: unknown[]) => Promise<unknown>)(...given);
      throw ends;
    },
  });
  const targets: World["targets"] = {
    ...world.targets,
    withTarget: (connection, use) => world.targets.withTarget(connection, (target) => use(wrapped(target))),
  };
  const projectionId = (await world.projections())[subject]?.id ?? 0;
  await deliver(world.ctx, { db: world.db, targets, projectionId }).catch((error: unknown) => {
    if (error !== died) throw error;
  });
}

const rename = async (to: string) => {
  await world.db.pool.query("update people set user_name = $2::text::citext, email = $2::text || '@example.com' where id = $1", [anna, to]);
  await world.setPerson(anna, { attributes: { userName: to, emails: [{ value: `${to}@example.com`, type: "work", primary: true }] } });
};
const leaves = () => world.setPerson(anna, { active: false });
const settle = () => world.drain({ hurry: true });

describe.each([
  ["whose answer was lost", new Fault("transient", "no answer")],
  ["that the process did not survive", died],
])("a create %s", (_title, ends) => {
  beforeEach(() => start({ policy: { groups: "all" } }));

  test("invariant 3: is found again by the name that it was sent with, though the person has another by now", async () => {
    await lost("anna", { ends });
    await rename("annabel");
    await settle();
    expect(world.downstream.users()).toMatchObject([{ userName: "annabel", active: true }]);
    await leaves();
    await settle();
    expect(world.downstream.users()).toMatchObject([{ userName: "annabel", active: false }]);
  });

  test("invariant 3: is found again though the names changed twice and an answer was lost each time", async () => {
    await lost("anna", { ends });
    await rename("annabel");
    await lost("annabel", { ends });
    await rename("annika");
    await settle();
    expect(world.downstream.users()).toMatchObject([{ userName: "annika", active: true }]);
  });

  test("invariant 3: is disabled when its person has another name and leaves", async () => {
    await lost("anna", { ends });
    await rename("annabel");
    await decide();
    await leaves();
    await settle();
    expect(world.downstream.users()).toMatchObject([{ active: false }]);
  });

  test("invariant 3: is disabled when its person leaves, though the answer to its new name was lost, too", async () => {
    await lost("anna", { ends });
    await rename("annabel");
    await lost("annabel", { ends, call: "update" });
    expect(world.downstream.users()).toMatchObject([{ userName: "annabel", active: true }]);
    await leaves();
    await settle();
    expect(world.downstream.users()).toMatchObject([{ userName: "annabel", active: false }]);
  });

  test("invariant 3: in the place of an account that is gone is disabled when its person leaves", async () => {
    await settle();
    world.downstream.forget(world.user("anna")?.id ?? "");
    await world.setPerson(anna, { attributes: { title: "Queen" } });
    await lost("anna", { ends });
    expect(world.downstream.users()).toMatchObject([{ userName: "anna", active: true }]);
    await leaves();
    await settle();
    expect(world.downstream.users()).toMatchObject([{ userName: "anna", active: false }]);
  });

  test("invariant 3: in the place of an account that is gone is found again though the person has another name by now", async () => {
    await settle();
    world.downstream.forget(world.user("anna")?.id ?? "");
    await world.setPerson(anna, { attributes: { title: "Queen" } });
    await lost("anna", { ends });
    await rename("annabel");
    await settle();
    expect(world.downstream.users()).toMatchObject([{ userName: "annabel", title: "Queen" }]);
  });

  test("invariant 3: that did not happen takes nothing from a stranger who has the older name by now", async () => {
    await lost("anna", { ends, carriedOut: false });
    world.downstream.seedUser({ userName: "anna", externalId: "stranger", displayName: "Anna Stranger" });
    await rename("annabel");
    await decide();
    await settle();
    expect(world.user("anna")).toMatchObject({ externalId: "stranger", displayName: "Anna Stranger", active: true });
    expect(world.user("annabel")).toMatchObject({ active: true });
    await leaves();
    await settle();
    expect(world.user("anna")).toMatchObject({ active: true });
    expect(world.user("annabel")).toMatchObject({ active: false });
  });

  test("invariant 3: that did not happen takes nothing from a person here who has the older name by now", async () => {
    await lost("anna", { ends, carriedOut: false });
    await rename("annabel");
    await world.addPeople(["anna"]);
    await settle();
    expect(world.user("anna")).toMatchObject({ active: true });
    expect(world.user("annabel")).toMatchObject({ active: true });
    expect(world.downstream.users()).toHaveLength(2);
  });

  test("P5, invariant 5: is disabled when its person is erased by force before it was confirmed, and nothing personal is kept", async () => {
    await lost("anna", { ends });
    await world.work((work) =>
      erasePerson(work, { personId: anna, confirm: "anna", reason: "asked for", force: true, keyRing: world.keyRing }),
    );
    await settle();
    expect(world.downstream.users()).toMatchObject([{ userName: "anna", active: false }]);
    expect(await world.work(finishErasures)).toBe(1);
    const { rows } = await world.db.pool.query("select desired, delivered, native_id from projections where person_id = $1", [anna]);
    expect(rows).toEqual([{ desired: null, delivered: null, native_id: null }]);
  });
});

test("invariant 3: an application that answers a create with somebody else's account gives two people no account in common", async () => {
  await start();
  await settle();
  const others = world.user("anna")?.id ?? "";
  await world.addPeople(["bert"]);
  const targets: World["targets"] = {
    ...world.targets,
    withTarget: (connection, use) =>
      world.targets.withTarget(connection, (target) =>
        use({ ...target, create: () => Promise.resolve({ nativeId: others, active: true, attributes: {} }) }),
      ),
  };
  await decide();
  await deliver(world.ctx, { db: world.db, targets, projectionId: (await world.projections())["bert"]?.id ?? 0 });
  expect((await world.projections())["bert"]).toMatchObject({
    state: "dead",
    native_id: null,
    last_error: expect.stringContaining("belongs to another person already"),
  });
});
