import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { parse } from "yaml";
import { openOktaSource } from "../../../connectors/okta/read.ts";
import { openOktaWriteBack } from "../../../connectors/okta/write.ts";
import { connectionDefinitionSchema } from "../../../src/connections/definition.ts";
import { addConnection } from "../../../src/connections/store.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { runSync } from "../../../src/sync/run.ts";
import type { FaultName } from "../../counterparts/okta/faults.ts";
import type { FakeOkta } from "../../counterparts/okta/server.ts";
import { chaos, CHAOS_SEED } from "../../helpers/chaos.ts";
import { testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { testKeyRing } from "../../helpers/sync.ts";
import { whileTimeLasts } from "../../helpers/while-time-lasts.ts";
import { addPerson, API_TOKEN, oktaOptions, openOrgServer } from "./opened.ts";

let db: TestDatabase;
let fake: FakeOkta;
let connections = 0;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

/** A connection of its own, with the mapping that is shipped. */
async function connect(): Promise<string> {
  const shipped = parse(readFileSync(new URL("../../../config/mappings/okta.yaml", import.meta.url), "utf8")) as Record<string, unknown>;
  const limits = {
    disable: { share: 1, count: 1000 },
    delete: { share: 1, count: 1000 },
    shrink: 1,
    window: { share: 1, count: 100_000 },
    members: { share: 1, floor: 1000 },
  };
  const definition = connectionDefinitionSchema.parse({
    ...shipped,
    name: `okta-${++connections}`,
    settings: { url: fake.url, apiToken: API_TOKEN },
    limits: { ...limits, failures: 100 },
  });
  await inTransaction(db, testContext(), (work) => addConnection(work, { definition, keyRing: testKeyRing }));
  return definition.name;
}

async function sync(connection: string, mode: "full" | "incremental", settings: Record<string, unknown> = {}) {
  const ctx = testContext({ now: () => fake.clock.peek() });
  const source = await openOktaSource(oktaOptions(fake, settings));
  return runSync(ctx, { db, keyRing: testKeyRing, connection, mode, trigger: "cli", source });
}

/** What we hold of a connection: who is active, and who is in which group. */
async function held(connection: string): Promise<{ active: string[]; members: Record<string, string[]> }> {
  const people = await db.pool.query<{ id: string; active: boolean }>(
    `select a.native_id as id, p.active from accounts a join connections c on c.id = a.connection_id join people p on p.id = a.person_id
      where c.name = $1 and a.kind = 'user' and a.gone_at is null`,
    [connection],
  );
  const groups = await db.pool.query<{ id: string; member: string | null }>(
    `select g.native_id as id, a.native_id as member from accounts g join connections c on c.id = g.connection_id
       left join memberships m on m.group_id = g.group_id and m.recorded_to is null and m.valid_to is null
       left join accounts a on a.person_id = m.person_id and a.connection_id = c.id and a.kind = 'user'
      where c.name = $1 and g.kind = 'group' and g.gone_at is null`,
    [connection],
  );
  const members: Record<string, string[]> = {};
  for (const { id, member } of groups.rows) (members[id] ??= []).push(...(member === null ? [] : [member]));
  for (const list of Object.values(members)) list.sort();
  return {
    active: people.rows
      .filter(({ active }) => active)
      .map(({ id }) => id)
      .sort(),
    members,
  };
}

/** The same, as the org has it. */
function actual(): { active: string[]; members: Record<string, string[]> } {
  const out = new Set(["STAGED", "SUSPENDED", "DEPROVISIONED"]);
  const groups = [...fake.org.groups.values()].filter(({ type }) => type !== "BUILT_IN");
  return {
    active: [...fake.org.users.values()]
      .filter(({ status }) => !out.has(status))
      .map(({ id }) => id)
      .sort(),
    members: Object.fromEntries(groups.map(({ id, members }) => [id, [...members].sort()])),
  };
}

describe("an Okta org, with the mapping that is shipped", () => {
  beforeAll(async () => {
    fake = await openOrgServer();
  });
  afterAll(() => fake.close());

  test("M2: people and groups arrive; what changes there follows, by increments alone", async () => {
    const people = Array.from({ length: 20 }, (_, number) => addPerson(fake, `ada${number}`, { employeeNumber: `E${number}` }));
    const [first = "", second = "", third = "", fourth = ""] = people;
    const staff = fake.org.addGroup({ name: "Staff" }).id;
    const gone = fake.org.addGroup({ name: "Gone soon" }).id;
    for (const id of people) fake.org.addMember(staff, id);
    const connection = await connect();
    expect(await sync(connection, "full")).toMatchObject({ state: "done" });
    expect(await held(connection)).toEqual(actual());

    fake.org.lifecycle(first, "suspend");
    fake.org.lifecycle(second, "deactivate");
    fake.org.removeMember(staff, third);
    fake.org.removeGroup(gone);
    fake.org.updateUser(fourth, { lastName: "Renamed", login: "renamed@lab.test" });
    addPerson(fake, "newcomer");
    await sync(connection, "incremental");
    expect(await held(connection)).toEqual(actual());

    fake.org.lifecycle(first, "unsuspend");
    fake.org.addMember(staff, third);
    await sync(connection, "incremental");
    expect(await held(connection)).toEqual(actual());

    fake.org.removeUser(second);
    await sync(connection, "full");
    expect(await held(connection)).toEqual(actual());
  });

  test("I1: who is deactivated and deleted between two increments leaves with the next, where everybody is listed in it", async () => {
    const gone = addPerson(fake, "brief");
    const connection = await connect();
    await sync(connection, "full");
    fake.clock.advance(60_000);
    for (const _ of ["deactivated", "deleted"]) fake.org.removeUser(gone);
    expect(await sync(connection, "incremental", { listPeople: true })).toMatchObject({
      mode: "incremental",
      plan: { user: { delete: 1 } },
    });
    expect(await held(connection)).toEqual(actual());
  });

  test("a change that Okta's listings show late is met within the overlap, wherever the runs fall", async () => {
    const late = await openOrgServer();
    const before = fake;
    fake = late;
    try {
      late.org.indexLagMs = 120_000;
      const id = addPerson(late, "late");
      late.clock.advance(200_000);
      const connection = await connect();
      await sync(connection, "full");
      late.org.lifecycle(id, "suspend");
      late.clock.advance(30_000);
      // This run sees nothing yet, and moves the cursor past the change.
      await sync(connection, "incremental");
      expect((await held(connection)).active).toEqual([id]);
      late.clock.advance(200_000);
      await sync(connection, "incremental");
      expect((await held(connection)).active).toEqual([]);
    } finally {
      fake = before;
      await late.close();
    }
  });
});

type Step =
  | { do: "add" | "suspend" | "unsuspend" | "deactivate" | "activate" | "delete" | "rename" | "expire"; who: number }
  | { do: "join" | "leave"; who: number; group: number }
  | { do: "group" | "ungroup"; group: number }
  | { do: "fault"; fault: FaultName; skip: number; path: number }
  | { do: "sync"; mode: "full" | "incremental" };

const FAULTS: readonly FaultName[] = [
  ...([
    "throttled",
    "throttled-bare",
    "broken",
    "unavailable",
    "reset",
    "lost-answer",
    "truncated",
    "gone",
    "unauthorised",
    "forbidden",
  ] as const),
  ...(["empty-page", "repeated-page", "no-links", "foreign-next", "no-list"] as const),
];
const who = fc.nat(15);
const group = fc.nat(4);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom("add", "suspend", "unsuspend", "deactivate", "activate", "delete", "rename", "expire"), who }),
  fc.record({ do: fc.constantFrom("join", "join", "leave"), who, group }),
  fc.record({ do: fc.constantFrom("group", "ungroup"), group }),
  fc.record({
    do: fc.constant("fault" as const),
    fault: fc.constantFrom(...FAULTS),
    skip: fc.nat(6),
    path: fc.nat(2),
  }),
  fc.record({ do: fc.constant("sync" as const), mode: fc.constantFrom("full", "incremental") }),
);
const PATHS = [/\/users\?/, /\/groups\?/, /\/groups\/[^/]+\/users\?/];

test(`B9: any history, any faults and any schedule of runs end equal to the org (CHAOS_SEED=${CHAOS_SEED})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40 }),
      fc.integer({ min: 1, max: 7 }),
      whileTimeLasts(async (history, pageSize) => {
        fake = await openOrgServer();
        try {
          const connection = await connect();
          const groups: string[] = [];
          let named = 0;
          const person = (number: number) => [...fake.org.users.keys()][number % Math.max(1, fake.org.users.size)];
          for (let number = 0; number < 5; number++) addPerson(fake, `c${connections}-${named++}`);
          // An org without a single group is not believed: an empty answer takes nothing away.
          fake.org.addGroup({ name: "always there" });
          for (const each of history) {
            fake.clock.advance(10_000);
            if (each.do === "sync") {
              // A run that a fault ends is one that never was: the next one makes up for it.
              await sync(connection, each.mode, { pageSize }).catch(() => undefined);
            } else if (each.do === "fault") fake.faults.order({ name: each.fault, skip: each.skip, path: PATHS[each.path] ?? /./ });
            else if (each.do === "group") groups.push(fake.org.addGroup({ name: `g${connections}-${named++}` }).id);
            else if (each.do === "add") addPerson(fake, `c${connections}-${named++}`);
            else
              act(each, {
                id: "who" in each ? person(each.who) : undefined,
                group: "group" in each ? groups[each.group] : undefined,
                name: `n${named++}`,
              });
          }
          fake.faults.clear();
          fake.clock.advance(10_000);
          await sync(connection, "incremental", { pageSize });
          // People who were deleted are found by a full read; everything that access follows from by an increment.
          expect(await held(connection)).toMatchObject({ active: actual().active });
          await sync(connection, "full", { pageSize });
          expect(await held(connection)).toEqual(actual());
        } finally {
          await fake.close();
        }
      }),
    ),
    chaos(6),
  );
}, 300_000);

function act(
  each: Exclude<Step, { do: "sync" | "fault" }>,
  { id, group: groupId, name }: { id: string | undefined; group: string | undefined; name: string },
): void {
  const { org } = fake;
  const known = groupId !== undefined && org.groups.has(groupId) ? groupId : undefined;
  if (each.do === "ungroup" && known) org.removeGroup(known);
  if (id === undefined) return;
  const { status } = org.user(id);
  if (each.do === "join" && known) org.addMember(known, id);
  if (each.do === "leave" && known) org.removeMember(known, id);
  if (each.do === "suspend" && status === "ACTIVE") org.lifecycle(id, "suspend");
  if (each.do === "unsuspend" && status === "SUSPENDED") org.lifecycle(id, "unsuspend");
  if (each.do === "deactivate" && status !== "DEPROVISIONED") org.lifecycle(id, "deactivate");
  if (each.do === "activate" && status === "DEPROVISIONED") org.lifecycle(id, "activate");
  if (each.do === "delete" && status === "DEPROVISIONED") org.removeUser(id);
  if (each.do === "rename" && status !== "DEPROVISIONED") org.updateUser(id, { lastName: name });
  if (each.do === "expire" && status === "ACTIVE") org.setStatus(id, "PASSWORD_EXPIRED");
}

test("no echo: what we suspended is not the org's own decision, and lifting it brings the person back", async () => {
  fake = await openOrgServer();
  try {
    const id = addPerson(fake, "echo");
    const connection = await connect();
    await sync(connection, "full");
    const writeBack = await openOktaWriteBack(oktaOptions(fake));
    await db.pool.query("update accounts set written_back = $2 where native_id = $1", [id, JSON.stringify({ active: false })]);
    await writeBack.disable(id);
    fake.clock.advance(60_000);
    await sync(connection, "incremental");
    expect((await held(connection)).active).toEqual([id]);
    await writeBack.enable(id);
    await writeBack.close();
    expect(fake.org.user(id).status).toBe("ACTIVE");
  } finally {
    await fake.close();
  }
});
