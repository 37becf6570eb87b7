import { afterEach, describe, expect, test } from "@jest/globals";
import { reconcileTarget } from "../../src/provision/reconcile.ts";
import { startWorld, type World } from "./world.ts";

let world: World;
afterEach(() => world.stop());

async function reconcile() {
  world.clock.pass(1000);
  const connection = await world.targets.load(world.db.pool, world.connectionId);
  return reconcileTarget(world.ctx, { db: world.db, targets: world.targets, connection });
}

describe("reconciliation", () => {
  test("M4: drift on linked accounts is repaired, and accounts that we did not link are left alone", async () => {
    world = await startWorld({ settings: { pageSize: 2 } });
    const stranger = world.downstream.seedUser({ userName: "stranger", active: true });
    const [, , cleo = "", dora = ""] = await world.addPeople(["anna", "bert", "cleo", "dora", "emil"]);
    await world.drain();
    await world.setPerson(cleo, { active: false });
    await world.setPerson(dora, { active: false });
    await world.drain();
    const id = (userName: string) => world.user(userName)?.id ?? "";
    world.downstream.tamper(id("anna"), { displayName: "Somebody else", title: "theirs" });
    world.downstream.tamper(id("bert"), { active: false });
    world.downstream.tamper(id("cleo"), { active: true });
    world.downstream.forget(id("dora"));
    world.downstream.forget(id("emil"));

    expect(await reconcile()).toEqual({ listed: 4, linked: 3, drifted: 3, missing: 2, complete: true });
    await world.drain();
    expect(world.user("anna")).toMatchObject({ displayName: "ANNA", title: "theirs", active: true });
    expect(world.user("bert")).toMatchObject({ active: true });
    expect(world.user("cleo")).toMatchObject({ active: false });
    expect(world.user("dora")).toBeUndefined();
    expect(world.user("emil")).toMatchObject({ active: true });
    expect(world.downstream.users().find((user) => user.id === stranger.id)).toEqual(stranger);
    expect(world.downstream.history(stranger.id)).toHaveLength(1);
    const { rows } = await world.db.pool.query(
      "select sum((data ->> 'count')::int)::int as count from audit_events where name = 'target.drift_repaired'",
    );
    expect(rows).toEqual([{ count: 5 }]);
    expect(await reconcile()).toMatchObject({ drifted: 0, missing: 0 });
  });

  test("invariant 1: a listing that does not prove itself complete makes nobody missing", async () => {
    world = await startWorld({ settings: { pageSize: 1 } });
    await world.addPeople(["anna", "bert", "cleo"]);
    await world.drain();
    const client = await world.targets.load(world.db.pool, world.connectionId);
    const before = world.downstream.users();
    const outcome = await reconcileTarget(world.ctx, {
      db: world.db,
      connection: client,
      targets: {
        ...world.targets,
        withTarget: (connection, use) =>
          world.targets.withTarget(connection, (target) =>
            use({
              ...target,
              async *list() {
                const pages = target.list("user");
                const first = await pages.next();
                if (!first.done) yield first.value;
                return { finalCursor: false, count: 1 };
              },
            }),
          ),
      },
    });
    expect(outcome).toMatchObject({ complete: false, missing: 0 });
    await world.drain();
    expect(world.downstream.users()).toEqual(before);
  });
});
