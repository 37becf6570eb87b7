import { afterEach, expect, test } from "@jest/globals";
import type { Work } from "../../src/db/database.ts";
import { markGroups, markPeople } from "../../src/directory/outbox.ts";
import { closePeriods } from "../../src/directory/periods.ts";
import { startWorld, type World } from "./world.ts";

let world: World;
afterEach(() => world.stop());

/** What one node wrote is worked off by another, whose clock is two seconds behind. */
async function elsewhere(change: () => Promise<void>): Promise<void> {
  world.clock.pass(2_000);
  await change();
  world.clock.pass(-2_000);
  await world.drain({ hurry: true });
}
const members = () => ((world.downstream.groups()[0]?.["members"] ?? []) as { value: string }[]).map(({ value }) => value);

test("M4, invariant 3: who joins or leaves a group by another node, whose clock is ahead, is in it, or out", async () => {
  world = await startWorld({ policy: { groups: ["Staff"] } });
  const [anna = "", bert = ""] = await world.addPeople(["anna", "bert"]);
  const staff = await world.addGroup("Staff", [anna]);
  await world.drain({ hurry: true });
  await elsewhere(() => world.join(staff, [bert]));
  expect(members().sort()).toEqual([world.user("anna")?.id, world.user("bert")?.id].sort());
  await elsewhere(() => world.leave(staff, [bert]));
  expect(members()).toEqual([world.user("anna")?.id]);
  await elsewhere(async () => void (await world.work((work) => closed(work, staff, anna))));
  expect(members()).toEqual([]);
});

test("M4, invariant 3: who comes into a scope, or falls out of it, by another node, whose clock is ahead, is let in, or out", async () => {
  world = await startWorld({ policy: { scope: "'Staff' in person.groups" } });
  const [anna = ""] = await world.addPeople(["anna"]);
  const staff = await world.addGroup("Staff", []);
  await world.drain({ hurry: true });
  await elsewhere(() => world.join(staff, [anna]));
  expect(world.user("anna")).toMatchObject({ active: true });
  await elsewhere(async () => void (await world.work((work) => closed(work, staff, anna))));
  expect(world.user("anna")).toMatchObject({ active: false });
});

/** A membership's end as the flows write it: superseded, and kept as a period that is over. */
async function closed(work: Work, groupId: string, personId: string): Promise<void> {
  const { rows } = await work.sql.query<{ id: number }>(
    "select id from memberships where group_id = $1 and person_id = $2 and recorded_to is null",
    [groupId, personId],
  );
  await closePeriods(work.sql, { table: "memberships", ids: rows.map(({ id }) => id), personIds: [personId], at: work.ctx.now() });
  await markPeople(work, { personIds: [personId] });
  await markGroups(work, { groupIds: [groupId] });
}
