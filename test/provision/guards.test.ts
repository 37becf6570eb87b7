import { afterEach, describe, expect, test } from "@jest/globals";
import { judgeOutbound } from "../../src/provision/judge.ts";
import { listDeliveries, retryDeliveries } from "../../src/provision/letters.ts";
import { startWorld, type World } from "./world.ts";

const limits = {
  disable: { count: 500, share: 0.1, floor: 5 },
  delete: { count: 500, share: 0.1, floor: 5 },
  window: { hours: 24, count: 1000, share: 0.2, floor: 20 },
};

describe("outbound guards", () => {
  test("judge by count, by share with a floor, and over a window", () => {
    expect(judgeOutbound({ active: 10, disables: 5, deletes: 0, recent: 0 }, limits)).toEqual({ disable: [], delete: [] });
    expect(judgeOutbound({ active: 10, disables: 6, deletes: 1, recent: 0 }, limits)).toEqual({
      disable: ["6 disables of 10 active accounts at once; the limit is 5"],
      delete: [],
    });
    expect(judgeOutbound({ active: 100_000, disables: 501, deletes: 0, recent: 0 }, limits).disable).toHaveLength(1);
    expect(judgeOutbound({ active: 100, disables: 1, deletes: 0, recent: 24 }, limits).disable).toHaveLength(1);
    expect(judgeOutbound({ active: 100, disables: 0, deletes: 0, recent: 500 }, limits)).toEqual({ disable: [], delete: [] });
  });

  describe("hold a pass", () => {
    let world: World;
    afterEach(() => world.stop());

    test("B2: too many disables at once are held, listed, and let go by an admin; joiners are not held up", async () => {
      world = await startWorld({ policy: { limits: { disable: { floor: 1, share: 0.2 } } } });
      const people = await world.addPeople(["a", "b", "c", "d"]);
      await world.drain();
      await world.work(
        async ({ sql }) =>
          void (await sql.query("update people set active = false, state = 'deactivated' where user_name in ('a', 'b', 'c')")),
      );
      await world.addPeople(["e"]);
      for (const id of people) await world.setPerson(id, {});
      await world.db.pool.query("delete from graphile_worker._private_jobs");
      await world.db.pool.query("select graphile_worker.add_job('project', json_build_object('connectionId', $1::int))", [
        world.connectionId,
      ]);
      await world.drain();
      expect(
        world.downstream
          .users()
          .map(({ userName, active }) => `${String(userName)} ${String(active)}`)
          .sort(),
      ).toEqual(["a true", "b true", "c true", "d true", "e true"]);
      const letters = await listDeliveries(world.db.pool, { connection: "app" });
      expect(letters.map(({ subject, state }) => `${subject} ${state}`).sort()).toEqual(["a held", "b held", "c held"]);
      expect(letters[0]?.reason).toBe("held: 3 disables of 4 active accounts at once; the limit is 1");
      const { rows } = await world.db.pool.query("select data from audit_events where name = 'delivery.held'");
      expect(rows).toEqual([{ data: { target: "app", action: "disable", count: 3 } }]);

      // Somebody who comes back is held no longer.
      await world.setPerson(people[2] ?? "", { active: true });
      await world.drain();
      expect(await listDeliveries(world.db.pool, { state: "held" })).toHaveLength(2);
      await world.work((work) => retryDeliveries(work, { connection: "app" }));
      await world.drain();
      expect(
        world.downstream
          .users()
          .filter(({ active }) => active === false)
          .map(({ userName }) => userName)
          .sort(),
      ).toEqual(["a", "b"]);
      expect(await listDeliveries(world.db.pool)).toEqual([]);
    });

    test("B2: several passes together are judged over a sliding window", async () => {
      world = await startWorld({ policy: { limits: { window: { hours: 1, count: 2, floor: 0, share: 1 } } } });
      const people = await world.addPeople(["a", "b", "c", "d"]);
      await world.drain();
      for (const id of people.slice(0, 3)) {
        await world.setPerson(id, { active: false });
        await world.drain();
      }
      expect(world.downstream.users().filter(({ active }) => active === false)).toHaveLength(2);
      expect((await listDeliveries(world.db.pool, { state: "held" }))[0]?.reason).toMatch(/in the last 1 hours/);
      world.clock.pass(3_700_000);
      await world.setPerson(people[3] ?? "", { active: false });
      await world.drain();
      expect(world.user("d")).toMatchObject({ active: false });
    });
  });
});
