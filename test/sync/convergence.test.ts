import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { SourceRecord } from "../../connectors/contract.ts";
import { runSync } from "../../src/sync/run.ts";
import { put, remove, world, worldSource, type World } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { group, person, testConnection, testKeyRing } from "../helpers/sync.ts";
import { whileTimeLasts } from "../helpers/while-time-lasts.ts";

let db: TestDatabase;
const ctx = testContext();
const unguarded = {
  disable: { count: 10_000, share: 1, floor: 10_000 },
  delete: { count: 10_000, share: 1, floor: 10_000 },
  window: { count: 10_000, share: 1, floor: 10_000 },
  members: { count: 10_000, share: 1, floor: 10_000 },
  shrink: 1,
  failures: 100,
};
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

const NAMES = ["ada", "bob", "cyd", "dee", "eve", "fay"];
const GROUPS = ["staff", "leads"];
const name = fc.constantFrom(...NAMES);
const memberLists = fc.uniqueArray(
  fc.oneof(
    name.map((each) => `uid=${each}`),
    fc.constantFrom(...GROUPS.map((each) => `cn=${each}`)),
  ),
  { maxLength: 5 },
);

/** What happens at the source, and how runs go wrong meanwhile. */
const event = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("put" as const),
      name,
      title: fc.constantFrom("A", "B", "C"),
      manager: fc.option(name, { nil: undefined }),
      active: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("remove" as const), name }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("group" as const), name: fc.constantFrom(...GROUPS), members: memberLists }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("anew" as const), name }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("drop group" as const), name: fc.constantFrom(...GROUPS) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("run" as const),
      trouble: fc.option(fc.record({ page: fc.nat(2), kind: fc.constantFrom("cut" as const, "fail" as const) }), { nil: undefined }),
      pageSize: fc.integer({ min: 1, max: 4 }),
      abortAt: fc.option(fc.constantFrom("read people", "read groups", "sweep", "apply"), { nil: undefined }),
      shuffle: fc.boolean(),
    }),
  },
);
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never;

const recordOf = ({ records }: World, who: string) => [...records.values()].find(({ attributes }) => attributes["uid"] === who);

function happen(source: World, each: Exclude<Event, { type: "run" }>): void {
  if (each.type === "put") {
    const record = person(each.name, {
      title: each.title,
      active: each.active,
      ...(each.manager ? { manager: `uid=${each.manager}` } : {}),
    });
    put(source, { ...record, nativeId: recordOf(source, each.name)?.nativeId ?? record.nativeId });
  } else if (each.type === "anew") {
    const record = recordOf(source, each.name);
    if (!record) return;
    source.records.delete(`user/${record.nativeId}`);
    put(source, { ...record, nativeId: `${record.nativeId}+` });
  } else if (each.type === "remove") remove(source, "user", recordOf(source, each.name)?.nativeId ?? "");
  else if (each.type === "group") put(source, group(each.name, each.members));
  else remove(source, "group", `id-${each.name}`);
}

async function run(source: World, { abortAt, shuffle = false }: { abortAt?: string; shuffle?: boolean } = {}): Promise<void> {
  const abort = new AbortController();
  const shown: World = shuffle ? { ...source, records: new Map([...source.records].reverse()) } : source;
  await runSync(
    { ...ctx, signal: abort.signal },
    {
      db,
      keyRing: testKeyRing,
      connection: "corp",
      mode: "full",
      trigger: "cli",
      source: worldSource(shown),
      onProgress: ({ stage }) => {
        if (stage === abortAt) abort.abort(new Error("killed here"));
      },
    },
  );
}

/** What the directory must be in the end, from the source alone. */
function expected(source: World) {
  const records = [...source.records.values()];
  const users = records.filter((record) => record.kind === "user");
  const exists = new Set(users.map((record) => record.attributes["uid"]));
  const active = (record: SourceRecord) => record.attributes["active"] !== false;
  const groups = new Set(records.filter((record) => record.kind === "group").map((record) => record.attributes["cn"]));
  return {
    people: users
      .map((record) => {
        const manager = String(record.attributes["manager"] ?? "").replace("uid=", "");
        return {
          name: record.attributes["uid"],
          title: record.attributes["title"],
          state: active(record) ? "active" : "suspended",
          manager: exists.has(manager) ? manager : null,
        };
      })
      .sort(byName),
    members: records
      .flatMap((record) =>
        record.members && "set" in record.members
          ? record.members.set.flatMap((reference) => {
              const member = reference.replace(/^(uid|cn)=/, "");
              const there = reference.startsWith("uid=") ? exists.has(member) : groups.has(member) && member !== record.attributes["cn"];
              return there ? [`${record.attributes["cn"]}: ${member}`] : [];
            })
          : [],
      )
      .sort(),
  };
}

const byName = (left: { name?: unknown }, right: { name?: unknown }) => String(left.name).localeCompare(String(right.name));

async function actual() {
  const { rows: people } = await db.pool.query(
    `select p.user_name::text as name, p.attributes->>'title' as title, p.state, case when m.state in ('active', 'suspended') then m.user_name::text end as manager
       from people p left join people m on m.id = p.manager_id where p.state in ('active', 'suspended')`,
  );
  const { rows: members } = await db.pool.query(
    `select g.display_name || ': ' || p.user_name as line from memberships m join groups g on g.id = m.group_id join people p on p.id = m.person_id where m.recorded_to is null and m.valid_to is null
     union all select g.display_name || ': ' || c.display_name from nestings n join groups g on g.id = n.parent_group_id join groups c on c.id = n.child_group_id where n.recorded_to is null and n.valid_to is null`,
  );
  return { people: people.sort(byName), members: members.map((row) => String(row.line)).sort() };
}

test("B9, invariant 3: any history with faults, repeats, reorderings and aborted runs ends in the same state", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 4, maxLength: 14 }),
      whileTimeLasts(async (events) => {
        await db.pool.query(
          "truncate connections, accounts, people, groups, memberships, nestings, blocks, lifecycle_periods, pending_references, runs, plans, plan_items, plan_members, plan_batches, plan_outcomes, run_seen, run_problems, guard_counts, audit_events, person_keys restart identity cascade",
        );
        await testConnection(db, ctx, { limits: unguarded });
        const source = world();
        for (const each of events) {
          if (each.type !== "run") happen(source, each);
          else {
            source.pageSize = each.pageSize;
            source.trouble = each.trouble;
            await run(source, each).catch((error: Error) => expect(error.message).toMatch(/hung up|killed here|aborted/));
            delete source.trouble;
          }
        }
        // A last empty answer would rightly take nobody away.
        put(source, person("zed", { title: "Z" }));
        put(source, group("all", []));
        await run(source);
        // Whoever was made anew waits until the account of before is known to be gone.
        await run(source);
        await run(source);
        expect(await actual()).toEqual(expected(source));
        const overlapping = await db.pool.query(
          "select from memberships a join memberships b on a.id < b.id and a.group_id = b.group_id and a.person_id = b.person_id and a.connection_id = b.connection_id and a.recorded_to is null and b.recorded_to is null and a.valid && b.valid",
        );
        expect(overlapping.rowCount).toBe(0);
      }),
    ),
    { numRuns: Number(process.env["CONVERGENCE_RUNS"] ?? 12) },
  );
}, 300_000);
