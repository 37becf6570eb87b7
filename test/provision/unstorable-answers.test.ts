import { afterEach, describe, expect, test } from "@jest/globals";
import { listDeliveries } from "../../src/provision/letters.ts";
import { reconcileTarget } from "../../src/provision/reconcile.ts";
import { scripted, type Asked, type Said } from "../connectors/scim/opened.ts";
import { startWorld, type World } from "./world.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const EMPTY_LIST: Said = { status: 200, body: { totalResults: 0, Resources: [] } };

/** A world whose application answers what `answer` says; nobody is there unless it says so. */
async function worldOf(answer: (asked: Asked) => Said | undefined): Promise<{ world: World; sent: () => string[] }> {
  const application = await scripted((asked) => answer(asked) ?? (asked.method === "GET" ? EMPTY_LIST : { status: 500 }));
  const world = await startWorld({ settings: application.settings });
  stops.push(
    () => application.stop(),
    () => world.stop(),
  );
  return { world, sent: () => application.asked.map(({ method, path }) => `${method} ${path}`) };
}

/** The application makes each account under an id of its own choice. */
const made = (idOf: (userName: string) => string) => (asked: Asked) =>
  asked.method === "POST"
    ? { status: 201, body: { ...asked.body, id: idOf(String(asked.body["userName"])) } }
    : asked.method === "GET"
      ? undefined
      : { status: 204 };

describe("M4: what an application says that PostgreSQL can't keep", () => {
  test.each([
    ["U+0000", "no\0body"],
    ["half of a surrogate pair", "no\ud800body"],
  ])("with %s in its reason for a refusal makes a dead letter all the same, and stops nobody else", async (_what, detail) => {
    const { world } = await worldOf((asked) =>
      asked.method === "POST" && asked.body["userName"] === "anna" ? { status: 400, body: { detail } } : made((name) => name)(asked),
    );
    await world.addPeople(["anna", "bert"]);
    await world.drain();
    expect(await world.projections()).toMatchObject({ anna: { state: "dead" }, bert: { state: "idle", native_id: "bert" } });
    expect(await listDeliveries(world.db.pool, { state: "dead" })).toMatchObject([{ reason: expect.stringContaining("no\ufffdbody") }]);
  });

  test("in its reason for a refusal of the credential flags the connection", async () => {
    const { world } = await worldOf(({ path }) =>
      path === "/ServiceProviderConfig" ? undefined : { status: 401, body: { detail: "no\0body" } },
    );
    await world.addPeople(["anna"]);
    await world.drain();
    const { rows } = await world.db.pool.query("select state from connections");
    expect(rows).toEqual([{ state: "flagged" }]);
  });

  test.each([
    ["U+0000", "a\0b"],
    ["half of a surrogate pair", "a\ud800b"],
    ["what a URL reads as its parent", ".."],
    ["what a URL reads as the collection", "."],
  ])("as an id with %s is no account: the letter says so, and stops nobody else", async (_what, id) => {
    const { world, sent } = await worldOf(made((name) => (name === "anna" ? id : name)));
    const [anna = ""] = await world.addPeople(["anna", "bert"]);
    await world.drain();
    expect(await world.projections()).toMatchObject({ anna: { state: "dead" }, bert: { state: "idle" } });
    await world.setPerson(anna, { active: false });
    await world.drain({ hurry: true });
    expect(sent().filter((one) => /^(DELETE|PATCH|PUT) /.test(one))).toEqual([]);
  });

  test("in a listing is passed over, and the others' drift is repaired", async () => {
    let listing: unknown[] = [];
    const { world } = await worldOf((asked) =>
      asked.method === "GET" && asked.path === "/Users" && !asked.query.has("filter")
        ? { status: 200, body: { totalResults: listing.length, Resources: listing } }
        : made((name) => name)(asked),
    );
    await world.addPeople(["anna", "bert"]);
    await world.drain();
    listing = [
      { id: "x\0y", userName: "x" },
      { id: "x\ud800y", userName: "y" },
      { id: "", userName: "nobody" },
      { id: "..", userName: "parent" },
      { id: "anna", userName: "anna", displayName: "An\0na", active: true },
      { id: "bert", userName: "bert", displayName: "Somebody else", active: true },
    ];
    world.clock.pass(1000);
    const connection = await world.targets.load(world.db.pool, world.connectionId);
    const found = await reconcileTarget(world.ctx, { db: world.db, targets: world.targets, connection });
    expect(found).toMatchObject({ drifted: 2, complete: false });
  });
});
