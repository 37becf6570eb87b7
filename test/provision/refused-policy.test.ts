import { afterEach, expect, test } from "@jest/globals";
import { startWorld, type World } from "./world.ts";

let world: World;
afterEach(() => world.stop());

const policy = (provision: Record<string, unknown>) =>
  world.db.pool.query(
    "update connections set policy = jsonb_set(policy, '{provision}', policy -> 'provision' || $1::jsonb), updated_at = now()",
    [provision],
  );

test.each([
  ["scope", { scope: 'person.userName.matches("((a{90}){90}){90}")' }, { scope: "true" }],
  [
    "attribute",
    { attributes: { userName: "person.userName", title: 'person.userName.matches("((a{90}){90}){90}")' } },
    { attributes: { userName: "person.userName" } },
  ],
])(
  "M4, invariant 4: a target's %s that was saved and does not compile any more keeps no leaver in; everybody else stays as they are, with the reason",
  async (what, refused, mended) => {
    world = await startWorld();
    const [anna = "", bert = ""] = await world.addPeople(["anna", "bert"]);
    await world.drain();
    await policy(refused);
    await world.setPerson(anna, { active: false });
    await world.setPerson(bert, { attributes: { title: "Lead" } });
    await world.drain({ hurry: true });
    expect(world.user("anna")).toMatchObject({ active: false });
    expect(world.user("bert")).toMatchObject({ active: true });
    const reason = new RegExp(`policy\\.provision\\.${what}.*repeats too much too often`);
    expect((await world.projections())["bert"]).toMatchObject({ state: "dead", last_error: expect.stringMatching(reason) });
    await policy(mended);
    await world.setPerson(bert, { attributes: { title: "Head" } });
    await world.drain({ hurry: true });
    expect((await world.projections())["bert"]).toMatchObject({ state: "idle" });
    expect(world.user("bert")).toMatchObject({ active: true });
  },
);
