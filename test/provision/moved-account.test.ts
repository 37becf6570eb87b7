import { afterEach, describe, expect, test } from "@jest/globals";
import { startWorld, type World } from "./world.ts";

let world: World;
afterEach(() => world.stop());

/** The application has the same account under another id, as those do that make ids of names. */
function moved(userName: string, changes: Record<string, unknown> = {}): void {
  const user = world.user(userName);
  if (!user) throw new Error(`${userName} is not there.`);
  const { id, meta: _meta, ...attributes } = user;
  world.downstream.forget(id);
  world.downstream.seedUser({ ...attributes, ...changes });
}

describe.each([
  ["deactivate", {}],
  ["delete", { graceDays: 0 }],
])("M4: whoever leaves (%s), and whose account has another id by now,", (leave, more) => {
  const policy = { leave, ...more };
  const isOut = (userName: string) => world.user(userName)?.active !== true;

  test("is out under that one", async () => {
    world = await startWorld({ policy });
    const [anna = ""] = await world.addPeople(["anna", "bert"]);
    await world.drain({ hurry: true });
    moved("anna");
    await world.setPerson(anna, { active: false });
    await world.drain({ hurry: true });
    expect(isOut("anna")).toBe(true);
    expect((await world.projections())["anna"]).toMatchObject({ state: "idle" });
    expect(isOut("bert")).toBe(false);
  });

  test("takes nothing from a stranger who has the name since", async () => {
    world = await startWorld({ policy });
    const [anna = ""] = await world.addPeople(["anna"]);
    await world.drain({ hurry: true });
    moved("anna", { externalId: "a stranger's" });
    await world.setPerson(anna, { active: false });
    await world.drain({ hurry: true });
    expect(isOut("anna")).toBe(false);
    expect((await world.projections())["anna"]).toMatchObject({ state: "idle", delivered_state: "removed" });
  });
});

test("M4: who is renamed twice, and whose account gets another id each time, has one account", async () => {
  world = await startWorld();
  const [anna = ""] = await world.addPeople(["anna"]);
  await world.drain({ hurry: true });
  const rename = async (userName: string) => {
    await world.db.pool.query("update people set user_name = $2 where id = $1", [anna, userName]);
    await world.setPerson(anna, { attributes: { userName } });
    await world.drain({ hurry: true });
  };
  await rename("anne");
  moved("anne");
  await rename("annie");
  expect(world.downstream.users()).toMatchObject([{ userName: "annie", active: true }]);
  await world.setPerson(anna, { active: false });
  await world.drain({ hurry: true });
  expect(world.downstream.users()).toMatchObject([{ userName: "annie", active: false }]);
});
