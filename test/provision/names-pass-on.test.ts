import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Fault, type AttributeObject, type Target } from "../../connectors/contract.ts";
import { deliver } from "../../src/provision/deliver.ts";
import type { Pass } from "../../src/provision/pace.ts";
import { projectTarget } from "../../src/provision/project.ts";
import type { Targets } from "../../src/provision/targets.ts";
import { startWorld, type World } from "./world.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld({ policy: { groups: "all" } });
});
afterEach(() => world.stop());

const decide = async () => {
  await projectTarget(world.ctx, { db: world.db, connection: await world.targets.load(world.db.pool, world.connectionId) });
};
const deliverTo = async (name: string) =>
  deliver(world.ctx, { db: world.db, targets: world.targets, projectionId: (await world.projections())[name]?.id ?? 0 });
const settle = () => world.drain({ hurry: true });

/** Nobody's name here stands in the way of anybody's; at the application all have theirs. */
const freeNames = () => world.db.pool.query("update people set user_name = user_name || '-between', email = 'between-' || email");

async function rename(id: string, to: string): Promise<void> {
  await world.db.pool.query("update people set user_name = $2::text::citext, email = $2::text || '@example.com' where id = $1", [id, to]);
  await world.setPerson(id, {
    attributes: { userName: to, displayName: to, emails: [{ value: `${to}@example.com`, type: "work", primary: true }] },
  });
}

async function renameGroup(id: string, to: string): Promise<void> {
  await world.db.pool.query("update groups set display_name = $2 where id = $1", [id, to]);
  await world.db.pool.query("update projections set dirty_at = now(), version = version + 1 where group_id = $1", [id]);
}

const states = async () => Object.fromEntries(Object.entries(await world.projections()).map(([name, { state }]) => [name, state]));

test("invariant 3: who is new waits for the name that somebody else is about to give up", async () => {
  const [first = ""] = await world.addPeople(["anna"]);
  await settle();
  await rename(first, "annabel");
  await world.addPeople(["anna"]);
  await decide();
  expect(await deliverTo("anna")).toBe("fault");
  expect((await world.projections())["anna"]).toMatchObject({
    state: "retrying",
    native_id: null,
    last_error: expect.stringContaining("which is about to change"),
  });
  await settle();
  expect(await states()).toEqual({ anna: "idle", annabel: "idle" });
  expect(world.user("anna")).toMatchObject({ active: true, displayName: "ANNA" });
  expect(world.user("annabel")).toMatchObject({ active: true, displayName: "annabel" });
});

test("invariant 3: who gets the name of somebody who gets another waits for it, over any number of people", async () => {
  const names = ["p1", "p2", "p3", "p4"];
  const people = await world.addPeople(names);
  await settle();
  await freeNames();
  for (const [index, id] of people.entries()) await rename(id, names[index + 1] ?? "p5");
  await decide();
  for (const name of ["p2", "p3", "p4"]) expect(await deliverTo(name)).toBe("fault");
  expect(await states()).toMatchObject({ p2: "retrying", p3: "retrying", p4: "retrying", p5: "waiting" });
  await settle();
  expect(
    world.downstream
      .users()
      .map(({ userName, displayName }) => `${String(userName)} ${String(displayName)}`)
      .toSorted(),
  ).toEqual(["p2", "p3", "p4", "p5"].map((name) => `${name} ${name}`));
  expect(await states()).toEqual({ p2: "idle", p3: "idle", p4: "idle", p5: "idle" });
});

test("two who would have each other's names are dead letters after some tries, and say what to do", async () => {
  const [anna = "", bert = ""] = await world.addPeople(["anna", "bert"]);
  await settle();
  await freeNames();
  await rename(anna, "bert");
  await rename(bert, "anna");
  await settle();
  expect(await states()).toEqual({ anna: "dead", bert: "dead" });
  expect(world.user("anna")).toMatchObject({ displayName: "ANNA", active: true });
  const { rows } = await world.db.pool.query<{ most: number }>("select max(attempts) as most from projections");
  expect(rows[0]?.most).toBeLessThan(12);
});

test("invariant 3: an account that is another's for good is a dead letter at once", async () => {
  await world.addPeople(["anna"]);
  await settle();
  await freeNames();
  await world.addPeople(["anna"]);
  await decide();
  expect(await deliverTo("anna")).toBe("fault");
  expect((await world.projections())["anna"]).toMatchObject({
    state: "dead",
    last_error: expect.stringContaining("Settle which of the two"),
  });
});

test("invariant 3: a new group waits for the name that another is about to give up", async () => {
  const people = await world.addPeople(["anna"]);
  const staff = await world.addGroup("Staff", people);
  await settle();
  await renameGroup(staff, "Old staff");
  await world.addGroup("Staff", people);
  await decide();
  expect(await deliverTo("Staff")).toBe("fault");
  expect((await world.projections())["Staff"]).toMatchObject({ state: "retrying" });
  await settle();
  expect(world.downstream.groups().map(({ displayName }) => displayName)).toEqual(["Old staff", "Staff"]);
});

/** Answers as the application does, but for what is put in its place. */
const answering = (put: (target: Target) => Partial<Target>): Targets => ({
  ...world.targets,
  withTarget: (connection, use) => world.targets.withTarget(connection, (target) => use({ ...target, ...put(target) })),
});
/** An application that lets nobody have another's address, and has no filters that ignore case. */
const strict = (): Targets => {
  const refuse = (attributes: AttributeObject, own?: string) => {
    const [mine] = addresses(attributes);
    const other = world.downstream.users().find((user) => user["id"] !== own && mine !== undefined && addresses(user).includes(mine));
    if (other) throw new Fault("exists", `${mine} is taken`);
  };
  return answering((target) => ({
    async create(kind, attributes) {
      refuse(attributes);
      return target.create(kind, attributes);
    },
    async update(kind, nativeId, change) {
      refuse(change.after, nativeId);
      return target.update(kind, nativeId, change);
    },
  }));
};
const addresses = ({ emails }: Record<string, unknown>) =>
  (Array.isArray(emails) ? (emails as AttributeObject[]) : []).map(({ value }) => String(value).toLowerCase());
const deliverBy = async (targets: Targets, name: string) =>
  deliver(world.ctx, { db: world.db, targets, projectionId: (await world.projections())[name]?.id ?? 0 });

/** Somebody here has the address that another had, whatever becomes of that one's. */
async function address(id: string, to: string): Promise<void> {
  await world.setPerson(id, { attributes: { emails: [{ value: to, type: "work", primary: true }] } });
}

test("who is new and has the address of somebody who keeps it is a dead letter at once", async () => {
  await world.addPeople(["anna"]);
  await settle();
  const [bert = ""] = await world.addPeople(["bert"]);
  await address(bert, "anna@example.com");
  await decide();
  expect(await deliverBy(strict(), "bert")).toBe("fault");
  expect((await world.projections())["bert"]).toMatchObject({
    state: "dead",
    last_error: expect.stringContaining("Settle which of the two"),
  });
});

test("invariant 3: who gets the address that somebody else is about to give up waits for it", async () => {
  const [anna = "", bert = ""] = await world.addPeople(["anna", "bert"]);
  await settle();
  await address(anna, "queen@example.com");
  await address(bert, "anna@example.com");
  await decide();
  expect(await deliverBy(strict(), "bert")).toBe("fault");
  expect((await world.projections())["bert"]).toMatchObject({ state: "retrying", last_error: expect.stringContaining("about to change") });
  await deliverBy(strict(), "anna");
  expect(await deliverBy(strict(), "bert")).toBe("delivered");
});

test("invariant 3: a name whose holder an application has kept waiting for long is waited for all the same", async () => {
  const [first = ""] = await world.addPeople(["anna"]);
  await settle();
  await rename(first, "annabel");
  await decide();
  const down = answering(() => ({ update: () => Promise.reject(new Fault("transient", "no answer")) }));
  for (let tries = 0; tries < 9; tries += 1) expect(await deliverBy(down, "annabel")).toBe("fault");
  await world.addPeople(["anna"]);
  await decide();
  expect(await deliverTo("anna")).toBe("fault");
  expect(await states()).toEqual({ anna: "retrying", annabel: "retrying" });
  await settle();
  expect(await states()).toEqual({ anna: "idle", annabel: "idle" });
});

test("M4: an application that has answered is not taken for one that hangs because somebody waits for a name there", async () => {
  const [first = ""] = await world.addPeople(["anna"]);
  await settle();
  await rename(first, "annabel");
  await world.addPeople(["anna"]);
  await decide();
  const passes: Pass[] = [];
  const pace = { enter: () => ({ leave: (pass: Pass) => void passes.push(pass) }) };
  expect(await deliverBy({ ...world.targets, pace }, "anna")).toBe("fault");
  expect(passes).toEqual(["answered"]);
});

test.each([
  ["before we look", 1],
  ["after we have looked once", 2],
])("invariant 3: a name that its holder gives up between the refusal and our look, %s, is not lost", async (_when, look) => {
  const [first = "", second = ""] = await world.addPeople(["anna", "bert"]);
  await settle();
  await freeNames();
  await rename(first, "annabel");
  await rename(second, "anna");
  await decide();
  let [refused, asked] = [false, 0];
  const meanwhile = answering((target) => ({
    async update(...given) {
      await target.update(...given).catch((error: unknown) => {
        refused = true;
        throw error;
      });
    },
    async find(...given) {
      const before = look === 2 ? await target.find(...given) : undefined;
      if (refused && (asked += 1) === 1) await deliverTo("annabel");
      return before ?? (await target.find(...given));
    },
  }));
  await deliverBy(meanwhile, "anna");
  await settle();
  expect(await states()).toEqual({ anna: "idle", annabel: "idle" });
  expect(world.user("anna")).toMatchObject({ displayName: "anna" });
  expect(world.user("annabel")).toMatchObject({ displayName: "annabel" });
});
