import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { inTransaction } from "../../src/db/database.ts";
import { erasePerson } from "../../src/directory/erasure.ts";
import { pruneRuns } from "../../src/sync/prune.ts";
import { put, world, type World } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { group, person, syncWorld, testConnection, testKeyRing, UNGUARDED } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

test("M2: two new records of a connection that match one person are not both linked without a human", async () => {
  await testConnection(db, ctx, { name: "hr", limits: UNGUARDED, mapping: { match: ["employeeNumber"] } });
  await testConnection(db, ctx, { name: "ad", limits: UNGUARDED, mapping: { match: ["employeeNumber"] }, precedence: 200 });
  await syncWorld(db, ctx, { connection: "hr", world: world([person("bob", { number: "2" })]) });
  const source = world([person("bob-user", { number: "2" }), person("bob-admin", { number: "2" })]);
  expect(await syncWorld(db, ctx, { connection: "ad", world: source })).toMatchObject({ applied: { applied: 1, refused: 1 } });
  await syncWorld(db, ctx, { connection: "ad", world: source });
  const { rows } = await db.pool.query(
    "select native_id, situation from accounts a join connections c on c.id = a.connection_id where c.name = 'ad' order by 1 desc",
  );
  expect(rows).toEqual([
    { native_id: "id-bob-user", situation: "linked" },
    { native_id: "id-bob-admin", situation: "disputed" },
  ]);
});

describe("invariant 10: names that pass on by a plan that broke after some of it was applied", () => {
  const named = (uid: string, reference: string, attributes = {}) => ({ ...person(uid, attributes), reference });
  const others = Array.from({ length: 400 }, (_, index) => `u${index}`);

  /** In portions: the report; who has the name until then; whoever takes it over. It breaks before the last. */
  async function breakHalfway(name: string): Promise<World> {
    await testConnection(db, ctx, { name, limits: UNGUARDED });
    const mine = (uid: string) => `${name}-${uid}`;
    const chief = mine("chief");
    const source = world([
      named(mine("report"), mine("report"), { manager: chief }),
      ...others.slice(0, 200).map((uid) => person(mine(uid))),
      named(mine("old"), chief),
      ...others.slice(200).map((uid) => person(mine(uid))),
      group(mine("staff"), [chief]),
    ]);
    await syncWorld(db, ctx, { connection: name, world: source });
    put(source, named(mine("report"), mine("report"), { manager: chief, title: "Reader" }));
    put(source, named(mine("old"), mine("old")));
    for (const uid of others) put(source, person(mine(uid), { title: "Writer" }));
    put(source, named(mine("new"), chief));
    const onProgress = ({ stage, done }: { stage: string; done: number }) => {
      if (stage === "apply" && done >= 200) throw new Error("it broke");
    };
    await expect(syncWorld(db, ctx, { connection: name, world: source, onProgress })).rejects.toThrow("it broke");
    return source;
  }
  const now = async (name: string) =>
    (
      await db.pool.query(
        `select m.user_name::text as manager, array(select s.user_name::text from memberships x join groups g on g.id = x.group_id join people s on s.id = x.person_id
            where g.display_name = $2 and x.recorded_to is null and x.valid_to is null) as staff
          from people p join people m on m.id = p.manager_id where p.user_name = $1`,
        [`${name}-report`, `${name}-staff`],
      )
    ).rows;
  const right = (name: string) => [{ manager: `${name}-new`, staff: [`${name}-new`] }];

  test("are known to whoever goes on with it", async () => {
    const source = await breakHalfway("killed");
    await db.pool.query("update plans set state = 'applying' where state = 'superseded' and passed_on is not null");
    await syncWorld(db, ctx, { connection: "killed", world: source });
    expect(await now("killed")).toEqual(right("killed"));
    expect((await db.pool.query("select id from plans where passed_on is not null")).rows).toEqual([]);
  });

  test.each(["full", "incremental"] as const)("are known to the next plan, of a run that is %s", async (mode) => {
    const source = await breakHalfway(mode);
    await syncWorld(db, ctx, { connection: mode, world: source, mode });
    expect(await now(mode)).toEqual(right(mode));
    expect((await db.pool.query("select id from plans where passed_on is not null")).rows).toEqual([]);
  });

  const foreseen = async () =>
    (
      await db.pool.query<{ reference: string }>(
        "select p ->> 'reference' as reference from plans, jsonb_array_elements(passed_on) p where passed_on is not null order by 1",
      )
    ).rows.map(({ reference }) => reference);

  test("P5: whoever is deleted for good meanwhile stands in none of them", async () => {
    await breakHalfway("erased");
    expect(await foreseen()).toContain("erased-chief");
    const { rows } = await db.pool.query<{ id: string }>("select id from people where user_name = 'erased-old'");
    await inTransaction(db, ctx, (work) =>
      erasePerson(work, { personId: rows[0]?.id ?? "", confirm: "erased-old", reason: "asked for it", force: true, keyRing: testKeyRing }),
    );
    expect(await foreseen()).not.toContain("erased-chief");
  });

  test("are not kept of a plan of which nothing was applied, once another is", async () => {
    const source = await breakHalfway("nothing");
    await db.pool.query("delete from plan_batches where plan_id = (select max(id) from plans)");
    await syncWorld(db, ctx, { connection: "nothing", world: source });
    expect(await foreseen()).not.toContain("nothing-chief");
  });

  test("go with the details of the plan", async () => {
    await breakHalfway("pruned");
    await db.pool.query("update plans set closed_at = now() - interval '31 days' where id = (select max(id) from plans)");
    await pruneRuns(ctx, db);
    expect(await foreseen()).not.toContain("pruned-chief");
  });
});
