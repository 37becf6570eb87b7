import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { parse } from "yaml";
import { openEntraSource } from "../../../connectors/entra/read.ts";
import { connectionDefinitionSchema } from "../../../src/connections/definition.ts";
import { addConnection } from "../../../src/connections/store.ts";
import { inTransaction } from "../../../src/db/database.ts";
import type { RunSummary } from "../../../src/sync/finish.ts";
import { runSync } from "../../../src/sync/run.ts";
import type { FaultKind } from "../../counterparts/graph/faults.ts";
import { startGraph, type Graph } from "../../counterparts/graph/server.ts";
import { chaos, CHAOS_SEED } from "../../helpers/chaos.ts";
import { testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { testKeyRing } from "../../helpers/sync.ts";
import { whileTimeLasts } from "../../helpers/while-time-lasts.ts";
import { openOptions, personCalled, settingsOf } from "./opened.ts";

let db: TestDatabase;
let graph: Graph;
const ctx = testContext();
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());
beforeEach(async () => {
  graph = await startGraph({ membersPerPage: 2 });
});
afterEach(() => graph.close());

const UNGUARDED = { count: 10_000, share: 1, floor: 10_000 };

/** The definition that is shipped, for this tenant. */
async function connect(): Promise<void> {
  await db.pool.query(
    "truncate connections, accounts, people, groups, units, person_units, memberships, nestings, blocks, lifecycle_periods, pending_references, runs, plans, plan_items, plan_members, plan_batches, plan_outcomes, run_seen, run_problems, guard_counts, audit_events, person_keys restart identity cascade",
  );
  const shipped = parse(readFileSync(new URL("../../../config/mappings/entra.yaml", import.meta.url), "utf8")) as Record<string, unknown>;
  const definition = connectionDefinitionSchema.parse({
    ...shipped,
    settings: settingsOf(graph, { units: "department", pageSize: 3 }),
    limits: { disable: UNGUARDED, delete: UNGUARDED, window: UNGUARDED, members: UNGUARDED, shrink: 1, failures: 100 },
  });
  await inTransaction(db, ctx, (work) => addConnection(work, { definition, keyRing: testKeyRing }));
}

async function sync(mode: "full" | "incremental"): Promise<RunSummary> {
  const source = await openEntraSource(openOptions(graph, { units: "department", pageSize: 3 }));
  return runSync(ctx, { db, keyRing: testKeyRing, connection: "entra", mode, trigger: "cli", source });
}

/** What the directory must hold, from the tenant alone. */
function expected() {
  const people = graph.tenant.all("users");
  const name = (id: string | undefined) => people.find((user) => user.id === id)?.properties["displayName"];
  const groups = graph.tenant.all("groups");
  return {
    people: people
      .map(({ properties, manager }) => ({
        name: properties["displayName"],
        login: properties["userPrincipalName"],
        title: properties["jobTitle"] ?? null,
        state: properties["accountEnabled"] === true ? "active" : "suspended",
        manager: name(manager) ?? null,
        unit: properties["department"] ?? null,
      }))
      .sort(byName),
    members: groups
      .flatMap(({ properties, members }) =>
        [...members].flatMap((id) => {
          const member = name(id) ?? groups.find((group) => group.id === id && group.properties !== properties)?.properties["displayName"];
          return member === undefined ? [] : [`${String(properties["displayName"])}: ${String(member)}`];
        }),
      )
      .sort(),
  };
}

const byName = (left: { name?: unknown }, right: { name?: unknown }) => String(left.name).localeCompare(String(right.name));

async function actual() {
  const { rows: people } = await db.pool.query(
    `select p.display_name as name, p.user_name::text as login, p.attributes->>'title' as title, p.state, case when m.state in ('active', 'suspended') then m.display_name end as manager,
        (select u.name from person_units pu join units u on u.id = pu.unit_id where pu.person_id = p.id and pu.recorded_to is null and pu.valid_to is null limit 1) as unit
       from people p left join people m on m.id = p.manager_id where p.state in ('active', 'suspended')`,
  );
  const { rows: members } = await db.pool.query(
    `select g.display_name || ': ' || p.display_name as line from memberships m join groups g on g.id = m.group_id join people p on p.id = m.person_id
        where m.recorded_to is null and m.valid_to is null and p.state in ('active', 'suspended')
     union all select g.display_name || ': ' || c.display_name from nestings n join groups g on g.id = n.parent_group_id join groups c on c.id = n.child_group_id where n.recorded_to is null and n.valid_to is null`,
  );
  return { people: people.sort(byName), members: members.map((row) => String(row.line)).sort() };
}

describe("a tenant, synchronised with the shipped mapping", () => {
  test("people, managers, departments and groups arrive; changes follow by increments; nothing changed writes nothing", async () => {
    const { tenant } = graph;
    await connect();
    const ids = ["ada", "bob", "cyd", "dee", "eve", "fay", "gil"].map((name) => tenant.add("users", personCalled(name)));
    const [ada = "", bob = "", cyd = "", dee = ""] = ids;
    tenant.add("users", personCalled("guest", { userType: "Guest" }));
    tenant.setManager(bob, ada);
    const staff = tenant.add("groups", { displayName: "Staff" });
    for (const id of ids) tenant.addMember(staff, id);
    const all = tenant.add("groups", { displayName: "All" });
    tenant.addMember(all, staff);
    await sync("full");
    const withoutGuest = () => ({ ...expected(), people: expected().people.filter(({ name }) => name !== "guest") });
    expect(await actual()).toEqual(withoutGuest());

    tenant.change(bob, { accountEnabled: false });
    tenant.change(ada, { department: "Direction", jobTitle: null });
    tenant.setManager(cyd, bob);
    tenant.removeMember(staff, cyd);
    tenant.remove(dee);
    const summary = await sync("incremental");
    expect(summary.mode).toBe("incremental");
    expect(await actual()).toEqual(withoutGuest());

    const before = (await db.pool.query("select id, version from people order by id")).rows;
    await sync("incremental");
    await sync("full");
    expect((await db.pool.query("select id, version from people order by id")).rows).toEqual(before);
  });

  test("who is restored is in their groups again with the next increment, whatever became of the groups meanwhile", async () => {
    const { tenant } = graph;
    await connect();
    const [ada = "", bob = ""] = ["ada", "bob"].map((each) => tenant.add("users", personCalled(each)));
    const [staff = "", leads = ""] = ["Staff", "Leads"].map((displayName) => tenant.add("groups", { displayName }));
    for (const group of [staff, leads]) for (const id of [ada, bob]) tenant.addMember(group, id);
    await sync("full");
    tenant.remove(ada);
    tenant.removeMember(staff, bob);
    await sync("incremental");
    expect(await actual()).toEqual(expected());
    tenant.restore(ada);
    expect(await sync("incremental")).toMatchObject({ mode: "incremental" });
    expect(await actual()).toEqual(expected());
    expect((await actual()).members).toEqual(["Leads: ada", "Leads: bob", "Staff: ada"]);
  });

  test("a lost state is read in full, within the same run", async () => {
    await connect();
    const ada = graph.tenant.add("users", personCalled("ada"));
    await sync("full");
    graph.tenant.change(ada, { jobTitle: "Head" });
    graph.expireTokens();
    const { notes } = await sync("incremental");
    expect(notes.join(" ")).toMatch(/read in full/);
    expect(await actual()).toEqual(expected());
  });
});

const NAMES = ["ada", "bob", "cyd", "dee", "eve", "fay"];
const GROUPS = ["Staff", "Leads"];
const PASSING: FaultKind[] = [
  "throttled",
  "server error",
  "reset",
  "truncated",
  "unauthorised",
  "empty page",
  "repeated page",
  "throttled in the batch",
];
const ENDING: FaultKind[] = ["no link", "expired", "syncStateNotFound", "denied", "foreign link"];
const name = fc.constantFrom(...NAMES);
const group = fc.constantFrom(...GROUPS);
const event = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("put" as const),
      name,
      title: fc.constantFrom("A", "B", null),
      enabled: fc.boolean(),
      department: fc.constantFrom("North", "South"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("remove" as const), name, forGood: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("restore" as const), name }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("manager" as const), name, manager: fc.option(name, { nil: undefined }) }) },
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constant("member" as const), group, member: fc.constantFrom(...NAMES, ...GROUPS), isIn: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("drop" as const), group }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("run" as const),
      mode: fc.constantFrom("full" as const, "incremental" as const),
      faults: fc.array(fc.record({ kind: fc.constantFrom(...PASSING, ...ENDING), after: fc.nat(8) }), { maxLength: 2 }),
    }),
  },
);
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never;

function happen({ tenant }: Graph, each: Exclude<Event, { type: "run" }>): void {
  const person = (called: string | undefined) => tenant.all("users").find(({ properties }) => properties["displayName"] === called)?.id;
  const groupCalled = (called: string) => tenant.all("groups").find(({ properties }) => properties["displayName"] === called)?.id;
  if (each.type === "drop") {
    const id = groupCalled(each.group);
    if (id !== undefined) tenant.remove(id);
  } else if (each.type === "member") {
    const id = groupCalled(each.group) ?? tenant.add("groups", { displayName: each.group });
    const member = person(each.member) ?? groupCalled(each.member);
    if (member === undefined || member === id) return;
    if (each.isIn) tenant.addMember(id, member);
    else tenant.removeMember(id, member);
  } else if (each.type === "restore") {
    const deleted = [...tenant.deleted.values()].find(({ properties }) => properties["displayName"] === each.name);
    if (deleted && person(each.name) === undefined) tenant.restore(deleted.id);
  } else {
    const id = person(each.name);
    if (each.type === "put") {
      const properties = { jobTitle: each.title, accountEnabled: each.enabled, department: each.department };
      if (id === undefined) tenant.add("users", personCalled(each.name, properties));
      else tenant.change(id, properties);
    } else if (id !== undefined && each.type === "remove") {
      if (each.forGood) tenant.removeForGood(id);
      else tenant.remove(id);
    } else if (id !== undefined && each.type === "manager") tenant.setManager(id, person(each.manager));
  }
}

test(`B9: any history of the tenant, with any faults and any schedule of full and incremental runs, ends as the tenant is (CHAOS_SEED=${CHAOS_SEED})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 6, maxLength: 20 }),
      whileTimeLasts(async (events) => {
        await graph.close();
        graph = await startGraph({ membersPerPage: 2 });
        await connect();
        for (const each of events) {
          if (each.type !== "run") happen(graph, each);
          else {
            for (const fault of each.faults) graph.faults.plan(fault);
            await sync(each.mode).catch((error: Error) => expect(error.name).toMatch(/Fault|AppError/));
            graph.faults.clear();
          }
        }
        graph.tenant.add("users", personCalled("zed"));
        graph.tenant.add("groups", { displayName: "Last" });
        await sync("incremental");
        await sync("full");
        expect(await actual()).toEqual(expected());
      }),
    ),
    chaos(8),
  );
}, 300_000);
