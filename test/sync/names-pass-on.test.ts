import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Completeness, Cursor, Page, Source, SourceRecord } from "../../connectors/contract.ts";
import { put, world, worldSource, type World } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { inTransaction } from "../../src/db/database.ts";
import { applyPlan } from "../../src/sync/apply-plan.ts";
import { approvePlan } from "../../src/sync/approve.ts";
import { runSync } from "../../src/sync/run.ts";
import { syncWorld, testConnection, testKeyRing, UNGUARDED } from "../helpers/sync.ts";
import { whileTimeLasts } from "../helpers/while-time-lasts.ts";

let db: TestDatabase;
const ctx = testContext();
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

const ENTRIES = ["ada", "bob", "cyd", "dee"];
const NAMES = ["n1", "n2", "n3", "n4", "n5"];
const GROUPS = ["staff", "leads"];
const entry = fc.constantFrom(...ENTRIES);
const dn = fc.constantFrom(...NAMES);
const event = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("put" as const),
      entry,
      name: dn,
      manager: fc.option(dn, { nil: undefined }),
      title: fc.constantFrom("A", "B"),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("rename" as const), entry, name: dn }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("remove" as const), entry }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("swap" as const), entry, other: entry }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("group" as const),
      group: fc.constantFrom(...GROUPS),
      members: fc.uniqueArray(dn, { maxLength: 4 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("run" as const),
      mode: fc.constantFrom("full" as const, "incremental" as const),
      pageSize: fc.integer({ min: 1, max: 4 }),
    }),
  },
);
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never;

const userOf = (source: World, who: string) => source.records.get(`user/${who}`);
const holderOf = (source: World, name: string) => [...source.records.values()].find((r) => r.kind === "user" && r.reference === name);

interface Directory extends World {
  /** What has changed with a word of it since the last run. */
  touched: Set<string>;
}

/** As slapd with refint: what it changes by itself in other entries is told by nothing but a full read. */
function directory(of: Directory): Source {
  return {
    ...worldSource(of, ["user", "group"]),
    async *readAll(kind): AsyncGenerator<Page, Completeness> {
      const evidence = yield* worldSource(of).readAll(kind);
      return { ...evidence, cursor: { at: "now" } };
    },
    async *readChanges(kind): AsyncGenerator<Page, Cursor> {
      const records = [...of.records.values()].filter((record) => record.kind === kind && of.touched.has(record.nativeId));
      for (const record of records) yield { records: [record] };
      return { at: "now" };
    },
    async *listIds(kind): AsyncGenerator<readonly string[], Completeness> {
      const ids = [...of.records.values()].flatMap((record) => (record.kind === kind ? record.nativeId : []));
      yield ids;
      return { finalCursor: true, count: ids.length };
    },
  };
}

async function sync(source: Directory, mode: "full" | "incremental"): Promise<void> {
  await runSync(ctx, { db, keyRing: testKeyRing, connection: "corp", mode, trigger: "cli", source: directory(source) });
  source.touched.clear();
}

/** refint: what names the entry follows it. */
function follow(source: World, from: string, to: string | undefined): void {
  for (const record of source.records.values()) {
    if (record.kind === "user" && record.attributes["manager"] === from) {
      const { manager: _, ...rest } = record.attributes;
      put(source, { ...record, attributes: to === undefined ? rest : { ...rest, manager: to } });
    }
    if (record.members && "set" in record.members && record.members.set.includes(from))
      put(source, { ...record, members: { set: record.members.set.flatMap((each) => (each === from ? (to ?? []) : each)) } });
  }
}

function rename(source: Directory, record: SourceRecord, to: string, refint: boolean): void {
  const from = record.reference ?? "";
  put(source, { ...record, reference: to, attributes: { ...record.attributes, dn: to } });
  source.touched.add(record.nativeId);
  if (refint) follow(source, from, to);
}

function happen(source: Directory, each: Exclude<Event, { type: "run" }>, refint: boolean): void {
  source.touched.add(each.type === "group" ? each.group : each.entry);
  if (each.type === "group") {
    put(source, {
      kind: "group",
      nativeId: each.group,
      reference: each.group,
      attributes: { cn: each.group },
      members: { set: refint ? each.members.filter((m) => holderOf(source, m)) : each.members },
    });
    return;
  }
  const before = userOf(source, each.entry);
  if (each.type === "put") {
    const reference = before?.reference ?? (holderOf(source, each.name) ? undefined : each.name);
    if (!reference) return;
    const manager = each.manager !== undefined && (!refint || holderOf(source, each.manager)) ? { manager: each.manager } : {};
    put(source, {
      kind: "user",
      nativeId: each.entry,
      reference,
      attributes: { dn: reference, uid: each.entry, title: each.title, ...manager },
    });
  } else if (!before) return;
  else if (each.type === "remove") {
    source.records.delete(`user/${each.entry}`);
    if (refint) follow(source, before.reference ?? "", undefined);
  } else if (each.type === "rename") {
    // What names it would name nobody.
    if (refint && !holderOf(source, each.name)) rename(source, before, each.name, refint);
  } else {
    const other = userOf(source, each.other);
    if (!other || other === before) return;
    const [mine, theirs] = [before.reference ?? "", other.reference ?? ""];
    rename(source, before, "tmp", refint);
    rename(source, userOf(source, each.other) ?? other, mine, refint);
    rename(source, userOf(source, each.entry) ?? before, theirs, refint);
  }
}

function expected(source: World) {
  const records = [...source.records.values()];
  return {
    managers: records
      .filter((r) => r.kind === "user")
      .map((r) => `${r.nativeId}: ${holderOf(source, String(r.attributes["manager"]))?.nativeId ?? "-"}`)
      .sort(),
    members: records
      .flatMap((r) =>
        r.members && "set" in r.members
          ? r.members.set.flatMap((m) => (holderOf(source, m) ? `${r.nativeId}: ${holderOf(source, m)?.nativeId}` : []))
          : [],
      )
      .sort(),
  };
}

async function actual() {
  const { rows } = await db.pool.query<{ managers: string[]; members: string[] }>(
    `select array(select p.user_name || ': ' || coalesce(case when m.active then m.user_name::text end, '-') from people p left join people m on m.id = p.manager_id where p.active order by 1) as managers,
       array(select g.display_name || ': ' || p.user_name from memberships m join groups g on g.id = m.group_id join people p on p.id = m.person_id where m.recorded_to is null and m.valid_to is null order by 1) as members`,
  );
  return { managers: rows[0]?.managers.sort(), members: rows[0]?.members.sort() };
}

const EVERYTHING =
  "truncate connections, accounts, people, groups, memberships, nestings, units, person_units, blocks, lifecycle_periods, pending_references, runs, plans, plan_items, plan_members, plan_batches, plan_outcomes, run_seen, run_problems, guard_counts, audit_events, person_keys restart identity cascade";

async function begin(records: readonly SourceRecord[]): Promise<Directory> {
  await db.pool.query(EVERYTHING);
  await testConnection(db, ctx, { limits: UNGUARDED });
  const source = { ...world(records), touched: new Set<string>() };
  source.pageSize = 300;
  await sync(source, "full");
  return source;
}
const user = (uid: string, reference: string, more: Record<string, string> = {}): SourceRecord => ({
  kind: "user",
  nativeId: uid,
  reference,
  attributes: { uid, dn: reference, ...more },
});
const group = (cn: string, members: readonly string[]): SourceRecord => ({
  kind: "group",
  nativeId: cn,
  reference: cn,
  attributes: { cn },
  members: { set: members },
});

test("invariant 3: whoever is called as somebody who left was does not get their groups, told with a word or without", async () => {
  for (const mode of ["full", "incremental"] as const) {
    const source = await begin([user("ada", "n1"), user("zed", "z"), group("staff", ["n1", "z"])]);
    source.records.delete("user/ada");
    put(source, user("bob", "n1"));
    put(source, group("staff", ["z"]));
    source.touched.add("bob");
    await sync(source, mode);
    expect((await actual()).members).toEqual(["staff: zed"]);
  }
});

test("invariant 3: the groups of whoever is renamed are theirs, and not the next one's, unless the list goes by the name alone", async () => {
  for (const [list, member] of [
    [["n2"], "ada"],
    [["n1"], "bob"],
  ] as const) {
    const source = await begin([user("ada", "n1"), group("staff", ["n1"])]);
    put(source, user("ada", "n2"));
    put(source, user("bob", "n1"));
    put(source, group("staff", list));
    for (const id of ["ada", "bob"]) source.touched.add(id);
    await sync(source, "incremental");
    expect((await actual()).members).toEqual([`staff: ${member}`]);
  }
});

test("invariant 3: a manager is who has the name after the plan, however many batches lie between", async () => {
  const many = Array.from({ length: 1000 }, (_, index) => `p${index}`);
  const source = await begin([user("cyd", "c", { manager: "x" }), ...many.map((id) => user(id, id)), user("ada", "n1")]);
  put(source, user("cyd", "c", { manager: "n1" }));
  for (const id of many) put(source, user(id, id, { title: "B" }));
  put(source, user("ada", "n2"));
  put(source, user("bob", "n1"));
  await sync(source, "full");
  expect((await actual()).managers).toContain("cyd: bob");
});

test("invariant 3: a plan that a node whose clock is behind applies finds who came late to it all the same", async () => {
  const source = await begin([user("cyd", "c", { manager: "n1" }), user("ada", "n1")]);
  put(source, user("ada", "n2"));
  put(source, user("bob", "n1"));
  const { planId } = await syncWorld(db, ctx, { world: source, planOnly: true });
  await inTransaction(db, ctx, (work) => approvePlan(work, { planId }));
  const behind = testContext({ now: () => new Date(Date.now() - 600_000) });
  await applyPlan(behind, { db, keyRing: testKeyRing, planId });
  expect((await actual()).managers).toContain("cyd: bob");
});

test("invariant 3: people are in the unit that has the name by which they are in one", async () => {
  const unit = (id: string, reference: string): SourceRecord => ({ kind: "unit", nativeId: id, reference, attributes: { ou: id } });
  const source = world([unit("u1", "lab"), { ...user("ada", "n1"), attributes: { uid: "ada", units: ["lab"] } }]);
  await db.pool.query(EVERYTHING);
  await testConnection(db, ctx, { limits: UNGUARDED });
  await syncWorld(db, ctx, { world: source });
  put(source, unit("u1", "labs"));
  put(source, unit("u2", "lab"));
  await syncWorld(db, ctx, { world: source });
  const { rows } = await db.pool.query(
    "select u.name::text as name from person_units m join units u on u.id = m.unit_id where m.recorded_to is null and m.valid_to is null",
  );
  expect(rows).toEqual([{ name: "u2" }]);
});

test("B9, invariant 3: whatever names pass on to whom, managers and members are whom the names mean in the end", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(event, { minLength: 4, maxLength: 14 }),
      whileTimeLasts(async (refint, events) => {
        await db.pool.query(EVERYTHING);
        await testConnection(db, ctx, { limits: UNGUARDED });
        const source: Directory = { ...world(), touched: new Set() };
        const zed = { kind: "user", nativeId: "zed", reference: "zed", attributes: { uid: "zed", dn: "zed" } } as const;
        put(source, zed);
        for (const each of events) {
          if (each.type !== "run") happen(source, each, refint);
          else {
            source.pageSize = each.pageSize;
            await sync(source, each.mode);
          }
        }
        put(source, { kind: "group", nativeId: "all", reference: "all", attributes: { cn: "all" }, members: { set: [] } });
        for (let round = 0; round < 3; round++) await sync(source, "full");
        expect(await actual()).toEqual(expected(source));
      }),
    ),
    { numRuns: Number(process.env["CONVERGENCE_RUNS"] ?? 12) },
  );
}, 300_000);
