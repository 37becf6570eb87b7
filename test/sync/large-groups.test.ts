import { expect, test } from "@jest/globals";
import { put, world } from "../helpers/memory-source.ts";
import { testContext, testDatabase } from "../helpers/database.ts";
import { group, person, syncWorld, testConnection, UNGUARDED } from "../helpers/sync.ts";

/** Compared with each other one by one, these would be 400 million pairs for each step, which takes half a minute. */
const MANY = 20_000;

test("who leaves and joins a large group, of whom it knows and of whom it waits for, is found among its members at once", async () => {
  const [db, ctx] = [await testDatabase(), testContext()];
  try {
    await testConnection(db, ctx, { limits: UNGUARDED });
    const names = Array.from({ length: MANY }, (_, index) => `p${index}`);
    const there = names.map((name) => `uid=${name}`);
    const awaited = names.map((name) => `uid=awaited-${name}`);
    const source = { ...world([...names.map((name) => person(name)), group("big", there), group("waits", awaited)]), pageSize: 1000 };
    const members = async (records: Parameters<typeof put>[1][]) => {
      for (const record of records) put(source, record);
      const { plan } = await syncWorld(db, ctx, { world: source });
      const { rows } = await db.pool.query(
        `select (select count(*)::int from memberships where recorded_to is null and valid_to is null) as members,
           (select count(*)::int from pending_references where kind = 'member') as waiting`,
      );
      return { ...rows[0], groups: plan["group"] };
    };
    expect(await members([])).toEqual({ members: MANY, waiting: MANY, groups: { create: 2 } });
    expect(await members([group("big", there.slice(1))])).toEqual({ members: MANY - 1, waiting: MANY, groups: { update: 1 } });
    expect(await members([group("waits", awaited.slice(1))])).toEqual({ members: MANY - 1, waiting: MANY - 1, groups: { update: 1 } });
    expect(await members([group("waits", [...awaited, "uid=p0"])])).toEqual({ members: MANY, waiting: MANY, groups: { update: 1 } });
  } finally {
    await db.drop();
  }
});
