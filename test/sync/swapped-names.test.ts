import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { SourceRecord } from "../../connectors/contract.ts";
import { inTransaction } from "../../src/db/database.ts";
import { applyPlan } from "../../src/sync/apply-plan.ts";
import { approvePlan } from "../../src/sync/approve.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { put, world } from "../helpers/memory-source.ts";
import { syncTold, syncWorld, testConnection, testKeyRing, UNGUARDED } from "../helpers/sync.ts";
import { whileTimeLasts } from "../helpers/while-time-lasts.ts";

let db: TestDatabase;
const ctx = testContext();
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

const EVERYTHING =
  "truncate connections, accounts, people, groups, memberships, lifecycle_periods, pending_references, runs, plans, plan_items, plan_members, plan_batches, plan_outcomes, run_seen, run_problems, guard_counts, audit_events, person_keys, passwords, address_changes restart identity cascade";

async function begin(): Promise<void> {
  await db.pool.query(EVERYTHING);
  await testConnection(db, ctx, { limits: UNGUARDED, mapping: { match: ["employeeNumber"] } });
}
beforeEach(begin);

/** Somebody who is the same under whatever name. */
const named = (id: string, uid: string, more: Record<string, string> = {}): SourceRecord => ({
  kind: "user",
  nativeId: id,
  reference: id,
  attributes: { uid, cn: id, mail: `${uid}@lab.test`, number: id, ...more },
});
const staff = (members: readonly string[]): SourceRecord => ({
  kind: "group",
  nativeId: "staff",
  reference: "staff",
  attributes: { cn: "staff" },
  members: { set: members },
});

async function names(): Promise<string[]> {
  const { rows } = await db.pool.query<{ line: string }>(
    `select p.employee_number || ' ' || p.user_name || ' ' || coalesce(p.email, '-') as line from people p where p.state <> 'deleted' order by 1`,
  );
  return rows.map(({ line }) => line);
}
async function problems(): Promise<string[]> {
  const { rows } = await db.pool.query<{ line: string }>(
    "select native_id || ' ' || code as line from run_problems where run_id = (select max(id) from runs) order by 1",
  );
  return rows.map(({ line }) => line);
}
const line = (id: string, uid: string) => `${id} ${uid} ${uid}@lab.test`;

const asTold = () => db.pool.query('update connections set cursor = \'{"user": {"at": 1}}\'');

describe("people of one source who pass their names on among themselves", () => {
  test("invariant 3: two who swap them have each other's after one run, with their managers and groups, and the trail says who was called what", async () => {
    const source = world([named("ada", "a"), named("bob", "b"), named("cyd", "c", { manager: "ada" }), staff(["bob"])]);
    await syncWorld(db, ctx, { world: source });
    await db.pool.query(
      "insert into passwords (person_id, hash, set_at) select id, 'x', now() from people where employee_number in ('ada', 'bob')",
    );
    put(source, named("ada", "b"));
    put(source, named("bob", "a"));
    expect(await syncWorld(db, ctx, { world: source })).toMatchObject({
      applied: { applied: 2, refused: 0, failed: 0 },
      plan: { user: { update: 2 } },
    });
    expect(await names()).toEqual([line("ada", "b"), line("bob", "a"), line("cyd", "c")]);
    expect(await problems()).toEqual([]);
    const { rows } = await db.pool.query(
      `select (select m.employee_number from people p join people m on m.id = p.manager_id where p.employee_number = 'cyd') as manager,
        (select string_agg(p.employee_number, ',') from memberships m join people p on p.id = m.person_id where m.recorded_to is null and m.valid_to is null) as members,
        (select array_agg(old_address || ' ' || new_address order by id) from address_changes) as addresses,
        (select array_agg(data->'changed' order by id) from audit_events where name = 'person.updated') as changed`,
    );
    expect(rows[0]).toEqual({
      manager: "ada",
      members: "bob",
      addresses: ["a@lab.test b@lab.test", "b@lab.test a@lab.test"].toSorted(),
      changed: [
        ["emails", "userName"],
        ["emails", "userName"],
      ],
    });
    expect(await syncWorld(db, ctx, { world: source })).toMatchObject({ plan: {} });
  });

  test("invariant 3: addresses alone are swapped, too, and who is called otherwise in another case keeps the name", async () => {
    const source = world([named("ada", "a"), named("bob", "b")]);
    await syncWorld(db, ctx, { world: source });
    put(source, named("ada", "A", { mail: "B@lab.test" }));
    put(source, named("bob", "b", { mail: "a@lab.test" }));
    await syncWorld(db, ctx, { world: source });
    expect(await names()).toEqual(["ada A B@lab.test", "bob b a@lab.test"]);
    expect(await problems()).toEqual([]);
  });

  test("invariant 3: whoever is new gets the name that is given up in the same run, along a chain", async () => {
    const source = world([named("ada", "a"), named("bob", "b")]);
    await syncWorld(db, ctx, { world: source });
    put(source, named("ada", "b"));
    put(source, named("bob", "c"));
    put(source, named("new", "a"));
    await syncWorld(db, ctx, { world: source });
    expect(await names()).toEqual([line("ada", "b"), line("bob", "c"), line("new", "a")]);
  });

  test("who would have the name of somebody who keeps it is refused, with all who wait for theirs; and comes once it is free", async () => {
    const source = world([named("ada", "a"), named("bob", "b"), named("cyd", "c"), named("dee", "d")]);
    await syncWorld(db, ctx, { world: source });
    put(source, named("ada", "b", { title: "new" }));
    put(source, named("bob", "c"));
    put(source, named("cyd", "d"));
    put(source, named("dee", "d", { title: "stays" }));
    await syncWorld(db, ctx, { world: source });
    expect(await names()).toEqual([line("ada", "a"), line("bob", "b"), line("cyd", "c"), line("dee", "d")]);
    expect(await problems()).toEqual(["ada conflict", "bob conflict", "cyd conflict"]);
    put(source, named("dee", "a"));
    await syncWorld(db, ctx, { world: source });
    expect(await names()).toEqual([line("ada", "b"), line("bob", "c"), line("cyd", "d"), line("dee", "a")]);
  });

  test("of two who would have a name that is given up, one gets it; whoever keeps theirs is beaten by nobody", async () => {
    const source = world([named("ada", "a"), named("bob", "b"), named("zed", "z")]);
    await syncWorld(db, ctx, { world: source });
    put(source, named("ada", "z"));
    put(source, named("bob", "z"));
    put(source, named("zed", "z", { title: "stays" }));
    await syncWorld(db, ctx, { world: source });
    expect(await names()).toEqual([line("ada", "a"), line("bob", "b"), line("zed", "z")]);
    expect((await db.pool.query("select from people where attributes->>'title' = 'stays'")).rowCount).toBe(1);
    put(source, named("zed", "a", { title: "goes" }));
    await syncWorld(db, ctx, { world: source });
    expect(await names()).toEqual([line("ada", "z"), line("bob", "b"), line("zed", "a")]);
    expect(await problems()).toEqual(["bob conflict"]);
  });

  test("invariant 3: a swap that is told in two parts is carried through once both are known", async () => {
    const source = world([named("ada", "a"), named("bob", "b")]);
    await syncWorld(db, ctx, { world: source });
    await asTold();
    put(source, named("ada", "b"));
    await syncTold(db, ctx, { world: source, changes: [named("ada", "b")] });
    expect(await problems()).toEqual(["ada conflict"]);
    put(source, named("bob", "a"));
    await syncTold(db, ctx, { world: source, changes: [named("bob", "a")] });
    expect(await names()).toEqual([line("ada", "b"), line("bob", "a")]);
  });

  test("one of a circle who can't be stored keeps nobody else out of theirs", async () => {
    const ids = Array.from({ length: 12 }, (_, index) => `p${String(index).padStart(2, "0")}`);
    const source = world(ids.map((id) => named(id, id)));
    await syncWorld(db, ctx, { world: source });
    await db.pool.query("alter table people add constraint test_refuses check (attributes->>'title' is distinct from 'bad')");
    try {
      // Six pairs swap, one of the twelve is bad.
      for (const [index, id] of ids.entries()) put(source, named(id, ids[index ^ 1] ?? "", index === 5 ? { title: "bad" } : {}));
      const summary = await syncWorld(db, ctx, { world: source });
      expect(summary.applied).toEqual({ applied: 10, refused: 0, failed: 2 });
      const expected = ids.map((id, index) => line(id, index === 4 || index === 5 ? id : (ids[index ^ 1] ?? "")));
      expect(await names()).toEqual(expected);
    } finally {
      await db.pool.query("alter table people drop constraint test_refuses");
    }
    put(source, named("p05", "p04"));
    await syncWorld(db, ctx, { world: source });
    expect(await names()).toEqual(ids.map((id, index) => line(id, ids[index ^ 1] ?? "")));
  });

  test("invariant 2: one who was changed meanwhile waits for the next plan, with whoever waits for them", async () => {
    const source = world([named("ada", "a"), named("bob", "b"), named("cyd", "c"), named("dee", "d")]);
    await syncWorld(db, ctx, { world: source });
    for (const [id, uid] of [
      ["ada", "b"],
      ["bob", "a"],
      ["cyd", "d"],
      ["dee", "c"],
    ] as const)
      put(source, named(id, uid));
    const { planId } = await syncWorld(db, ctx, { world: source, planOnly: true });
    await db.pool.query("update people set version = version + 1 where employee_number = 'ada'");
    await inTransaction(db, ctx, (work) => approvePlan(work, { planId }));
    expect(await applyPlan(ctx, { db, keyRing: testKeyRing, planId })).toEqual({ applied: 2, refused: 1, failed: 1 });
    expect(await names()).toEqual([line("ada", "a"), line("bob", "b"), line("cyd", "d"), line("dee", "c")]);
    await syncWorld(db, ctx, { world: source });
    expect(await names()).toEqual([line("ada", "b"), line("bob", "a"), line("cyd", "d"), line("dee", "c")]);
  });

  test("M3: a break half-way leaves everybody with the name of before, and the plan is carried through by whoever goes on with it", async () => {
    const ids = Array.from({ length: 1500 }, (_, index) => `p${String(index).padStart(4, "0")}`);
    const source = world(ids.map((id) => named(id, id)));
    source.pageSize = 500;
    await syncWorld(db, ctx, { world: source });
    // One circle of 1,100, which no portion of a plan would hold, and pairs.
    const next = (index: number) => ids[index < 1100 ? (index + 1) % 1100 : index ^ 1] ?? "";
    for (const [index, id] of ids.entries()) put(source, named(id, next(index)));
    const { planId } = await syncWorld(db, ctx, { world: source, planOnly: true });
    await inTransaction(db, ctx, (work) => approvePlan(work, { planId }));
    // In the midst of the circle, once half of it has its names.
    await db.pool.query(`create function test_breaks() returns trigger language plpgsql as 'begin raise exception ''died''; end'`);
    const { rows } = await db.pool.query<{ id: string }>("select id from people where employee_number = 'p0550'");
    await db.pool.query(
      `create trigger test_breaks after insert on audit_events for each row when (new.name = 'person.updated' and new.subject_id = '${rows[0]?.id}') execute function test_breaks()`,
    );
    await expect(applyPlan(ctx, { db, keyRing: testKeyRing, planId })).rejects.toThrow("died");
    await db.pool.query("drop function test_breaks cascade");
    expect((await names()).slice(0, 1100)).toEqual(ids.slice(0, 1100).map((id) => line(id, id)));
    expect(await applyPlan(ctx, { db, keyRing: testKeyRing, planId })).toMatchObject({ refused: 0, failed: 0 });
    expect(await names()).toEqual(ids.map((id, index) => line(id, next(index))));
  }, 120_000);
});

const IDS = ["p1", "p2", "p3", "p4", "p5", "p6"];
const UIDS = [...IDS, "x1", "x2"];
const permutation = fc.shuffledSubarray(UIDS, { minLength: IDS.length, maxLength: IDS.length });
const step = fc.record({
  uids: permutation,
  mails: permutation,
  told: fc.boolean(),
  pageSize: fc.integer({ min: 1, max: 4 }),
  titled: fc.subarray(IDS),
});

test("B9, invariant 3: however names and addresses go round among people, everybody has their own after one run", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 5 }),
      whileTimeLasts(async (steps) => {
        await begin();
        const source = world(IDS.map((id) => named(id, id)));
        await syncWorld(db, ctx, { world: source });
        await asTold();
        for (const { uids, mails, told, pageSize, titled } of steps) {
          source.pageSize = pageSize;
          const records = IDS.map((id, index) =>
            named(id, uids[index] ?? "", { mail: `${mails[index]}@lab.test`, ...(titled.includes(id) ? { title: "T" } : {}) }),
          );
          for (const record of records) put(source, record);
          if (told) await syncTold(db, ctx, { world: source, changes: records.toReversed() });
          else await syncWorld(db, ctx, { world: source });
          expect(await names()).toEqual(IDS.map((id, index) => `${id} ${uids[index]} ${mails[index]}@lab.test`));
          expect(await problems()).toEqual([]);
        }
      }),
    ),
    { numRuns: Number(process.env["CONVERGENCE_RUNS"] ?? 12) },
  );
}, 300_000);
