import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { group, person, syncWorld, testConnection, UNGUARDED } from "../helpers/sync.ts";
import { put, remove, world as memoryWorld, type World as Listed } from "../helpers/memory-source.ts";
import { startWorld, type World } from "./world.ts";

let world: World;
afterEach(() => world.stop());

const nest = (parent: string, child: string) =>
  world.db.pool.query("insert into nestings (parent_group_id, child_group_id, valid_from, recorded_from) values ($1, $2, $3, $3)", [
    parent,
    child,
    world.clock.now(),
  ]);

/** User names in the group as the application has it. */
const membersOf = (name: string) =>
  ((world.downstream.groups().find(({ displayName }) => displayName === name)?.["members"] ?? []) as { value: string }[])
    .map(({ value }) => world.downstream.users().find(({ id }) => id === value)?.["userName"])
    .sort();
const settle = () => world.drain({ hurry: true });

test("M4: a group has who joins a group inside it, at any depth, and has no more who leaves there", async () => {
  world = await startWorld({ policy: { groups: ["Staff"] } });
  const [anna = "", bert = ""] = await world.addPeople(["anna", "bert"]);
  const staff = await world.addGroup("Staff", [anna]);
  const interns = await world.addGroup("Interns", []);
  const summer = await world.addGroup("Summer", []);
  await nest(staff, interns);
  await nest(interns, summer);
  await settle();
  expect(membersOf("Staff")).toEqual(["anna"]);
  await world.join(summer, [bert]);
  await settle();
  expect(membersOf("Staff")).toEqual(["anna", "bert"]);
  await world.leave(summer, [bert]);
  await settle();
  expect(membersOf("Staff")).toEqual(["anna"]);
});

describe("of what a source lists", () => {
  let listed: Listed;
  const sync = async () => {
    await syncWorld(world.db, world.ctx, { world: listed });
    await settle();
  };
  beforeEach(async () => {
    world = await startWorld({ policy: { groups: "all" } });
    await world.addPeople(["local"]);
    await testConnection(world.db, world.ctx, { limits: UNGUARDED });
    await testConnection(world.db, world.ctx, { name: "hr", limits: UNGUARDED });
    listed = memoryWorld([person("anna"), person("bert"), group("Staff", ["uid=anna", "uid=bert", "cn=Interns"])]);
    await syncWorld(world.db, world.ctx, { world: memoryWorld([person("anna"), person("cleo")]), connection: "hr" });
    await sync();
    expect(membersOf("Staff")).toEqual(["anna", "bert"]);
  });

  test("M4: who is gone from one origin and stays by another is out of the first one's groups", async () => {
    remove(listed, "user", "id-anna");
    await sync();
    expect(world.user("anna")).toMatchObject({ active: true });
    expect(membersOf("Staff")).toEqual(["bert"]);
  });

  test("M4: who is gone from the only origin is disabled, and out of its groups", async () => {
    remove(listed, "user", "id-bert");
    await sync();
    expect(world.user("bert")).toMatchObject({ active: false });
    expect(membersOf("Staff")).toEqual(["anna"]);
  });

  test("M4: who has an account, and whom a group waited for, is in it", async () => {
    put(listed, group("Staff", ["uid=anna", "uid=bert", "uid=cleo"]));
    await sync();
    expect(membersOf("Staff")).toEqual(["anna", "bert"]);
    put(listed, person("cleo"));
    await sync();
    expect(membersOf("Staff")).toEqual(["anna", "bert", "cleo"]);
  });

  test("M4: a group that another waited for brings its members there, and takes them along", async () => {
    put(listed, person("cleo"));
    await sync();
    put(listed, group("Interns", ["uid=cleo"]));
    await sync();
    expect(membersOf("Staff")).toEqual(["anna", "bert", "cleo"]);
    remove(listed, "group", "id-Interns");
    await sync();
    expect(membersOf("Staff")).toEqual(["anna", "bert"]);
  });
});
