import { afterEach, expect, test } from "@jest/globals";
import { changeConnection } from "../../src/connections/change-connection.ts";
import { findConnection } from "../../src/connections/open.ts";
import { markPeople } from "../../src/directory/outbox.ts";
import { startWorld, type World } from "./world.ts";

let world: World;
afterEach(() => world.stop());

const enable = (enabled: boolean) =>
  world.work(async (work) => {
    const row = await findConnection(work.sql, world.connectionId);
    await changeConnection(work, { row, change: { enabled }, keyRing: world.keyRing, folders: [] });
  });

const members = () =>
  ((world.downstream.groups()[0]?.["members"] as { value: string }[] | undefined) ?? []).map(({ value }) => value).sort();

test("M4, invariant 4: what was decided while a target was disabled is delivered once it is enabled: who left meanwhile is out there, too", async () => {
  world = await startWorld({ policy: { groups: ["Sales"] } });
  const [anna = "", bert = "", dora = ""] = await world.addPeople(["anna", "bert", "dora"]);
  const sales = await world.addGroup("Sales", [bert, dora]);
  await world.drain({ hurry: true });
  expect(members()).toEqual([world.user("bert")?.id, world.user("dora")?.id].sort());
  await enable(false);
  await world.setPerson(anna, { active: false });
  await world.leave(sales, [bert]);
  await world.addPeople(["cleo"]);
  await enable(true);
  await world.drain({ hurry: true });
  expect(world.user("anna")).toMatchObject({ active: false });
  expect(world.user("cleo")).toMatchObject({ active: true });
  expect(members()).toEqual([world.user("dora")?.id]);
});

test("M4, invariant 4: who leaves in a transaction that began while the target was disabled, and ends after it was enabled, is out there", async () => {
  world = await startWorld({ policy: { groups: ["Sales"] } });
  const [anna = ""] = await world.addPeople(["anna", "bert"]);
  await world.drain({ hurry: true });
  await enable(false);
  const slow = await world.db.pool.connect();
  try {
    await slow.query("begin");
    await slow.query("update people set active = false, state = 'deactivated' where id = $1", [anna]);
    await markPeople({ ctx: world.ctx, sql: slow }, { personIds: [anna] });
    await enable(true);
    await world.drain();
    expect(world.user("anna")).toMatchObject({ active: true });
    await slow.query("commit");
  } finally {
    slow.release(true);
  }
  await world.drain({ hurry: true });
  expect(world.user("anna")).toMatchObject({ active: false });
  expect(world.user("bert")).toMatchObject({ active: true });
  expect((await world.db.pool.query("select from watermarks where starts_with(key, 'marking:')")).rowCount).toBe(0);
});
