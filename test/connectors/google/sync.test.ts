import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { parse as parseYaml } from "yaml";
import { addConnection } from "../../../src/connections/store.ts";
import { validateDefinition } from "../../../src/connections/validate.ts";
import { inTransaction } from "../../../src/db/database.ts";
import type { RunSummary } from "../../../src/sync/finish.ts";
import { runSync } from "../../../src/sync/run.ts";
import type { FaultName } from "../../counterparts/google/faults.ts";
import { startGoogle, type GoogleFake } from "../../counterparts/google/server.ts";
import { chaos, CHAOS_SEED } from "../../helpers/chaos.ts";
import { testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { testKeyRing } from "../../helpers/sync.ts";
import { whileTimeLasts } from "../../helpers/while-time-lasts.ts";
import { fillCompany } from "./opened.ts";

let fake: GoogleFake;
let db: TestDatabase;
let at = Date.parse("2026-03-01T08:00:00Z");
const ctx = testContext({ now: () => new Date(at) });

async function start(): Promise<void> {
  [fake, db] = await Promise.all([startGoogle({ now: () => new Date(at) }), testDatabase()]);
  const shipped = parseYaml(readFileSync(new URL("../../../config/mappings/google.yaml", import.meta.url), "utf8")) as Record<
    string,
    unknown
  >;
  const definition = validateDefinition(
    {
      ...shipped,
      settings: {
        serviceAccountKey: fake.delegation.keyFile,
        administrator: fake.administrator,
        apiUrl: fake.url,
        tokenUrl: fake.tokenUrl,
        pageSize: 6,
        groupPageSize: 5,
        attempts: 2,
      },
      limits: {
        disable: { count: 1000, share: 1 },
        delete: { count: 1000, share: 1 },
        shrink: 1,
        window: { count: 1000, share: 1 },
        members: { count: 10_000, share: 1, floor: 1000 },
      },
    },
    {},
  );
  await inTransaction(db, ctx, (work) => addConnection(work, { definition, keyRing: testKeyRing }));
}

async function stop(): Promise<void> {
  await db.drop();
  await fake.stop();
}

/** A run a minute after the last one. */
function sync(mode: "full" | "incremental" = "incremental"): Promise<RunSummary> {
  at += 60_000;
  return runSync(ctx, { db, keyRing: testKeyRing, connection: "workspace", mode, trigger: "cli" });
}

/** What the directory holds, in words that the fake can be asked for as well. */
async function held() {
  const { rows: people } = await db.pool.query<{ line: string }>(
    `select concat_ws(' ', p.user_name, m.user_name, (select string_agg(u.code::text, ',') from person_units pu join units u on u.id = pu.unit_id
        where pu.person_id = p.id and pu.recorded_to is null and pu.valid_to is null)) as line
      from people p left join people m on m.id = p.manager_id where p.state = 'active'`,
  );
  const { rows: members } = await db.pool.query<{ line: string }>(
    `select g.display_name || ': ' || p.user_name as line from memberships m join groups g on g.id = m.group_id join people p on p.id = m.person_id
      where m.recorded_to is null and m.valid_to is null and p.state = 'active' and g.deleted_at is null
      union all select g.display_name || ': ' || c.display_name from nestings n join groups g on g.id = n.parent_group_id join groups c on c.id = n.child_group_id
      where n.recorded_to is null and n.valid_to is null and g.deleted_at is null and c.deleted_at is null`,
  );
  return { people: people.map(({ line }) => line).sort(), members: members.map(({ line }) => line).sort() };
}

function there() {
  const { users, groups, members } = fake.organisation;
  const address = new Map(
    [...users.values()].flatMap((user) =>
      [user.primaryEmail, ...((user["aliases"] ?? []) as string[])].map((each) => [each, user] as const),
    ),
  );
  const isActive = (id: string) => users.get(id)?.suspended === false;
  const people = [...users.values()]
    .filter(({ suspended }) => !suspended)
    .map((user) => {
      const [relation] = (user["relations"] ?? []) as { value: string }[];
      const manager = address.get(relation?.value.toLowerCase() ?? "")?.primaryEmail;
      return [user.primaryEmail, manager, user.orgUnitPath].filter((part) => part !== undefined).join(" ");
    });
  const lines = [...groups.values()].flatMap(({ id, name }) =>
    [...(members.get(id)?.keys() ?? [])]
      .filter((member) => groups.has(member) || isActive(member))
      .map((member) => `${name}: ${users.get(member)?.primaryEmail ?? groups.get(member)?.name}`),
  );
  return { people: people.sort(), members: lines.sort() };
}

describe("a connection of Google Workspace, with the mapping that is shipped", () => {
  beforeEach(start);
  afterEach(stop);

  test("M2: people with managers and units, groups in groups, arrive; a second run writes nothing", async () => {
    fillCompany(fake);
    expect(await sync()).toMatchObject({ state: "done", mode: "full", applied: { refused: 0, failed: 0 }, notes: [] });
    expect(await held()).toEqual(there());
    expect(await sync()).toMatchObject({ state: "done", plan: {}, applied: { applied: 0 } });
  });

  test("who is suspended or deleted at Google is blocked here, with the time of the deletion; who is restored is back", async () => {
    const { people } = fillCompany(fake);
    const [anna = "", bert = ""] = people;
    await sync();
    at += 3_600_000;
    const deletedAt = new Date(at);
    fake.organisation.changeUser(anna, { suspended: true });
    fake.organisation.deleteUser(bert);
    expect(await sync()).toMatchObject({ state: "done", notes: [] });
    expect(await held()).toEqual(there());
    const { rows } = await db.pool.query("select source_changed_at from plan_items where native_id = $1 and action = 'delete'", [bert]);
    expect(rows).toEqual([{ source_changed_at: deletedAt }]);
    expect(await sync()).toMatchObject({ plan: {} });
    fake.organisation.undeleteUser(bert);
    fake.organisation.changeUser(anna, { suspended: false });
    await sync();
    expect(await held()).toEqual(there());
  });

  test("invariant 1: a listing that ends too early takes nobody away", async () => {
    fillCompany(fake);
    await sync();
    fake.inject({ fault: "unlinked", when: ({ query }) => (query.get("fields") ?? "").includes("suspended") });
    const summary = await sync();
    expect(summary.notes.join()).toContain("recount");
    expect(await held()).toEqual(there());
  });

  test("a unit that moves takes its people along", async () => {
    fillCompany(fake);
    await sync();
    fake.organisation.moveUnit("/North", "/South/North");
    await sync();
    expect(await held()).toEqual(there());
  });
});

const DEEDS = [
  ...(["hire", "rehire", "suspend", "restore", "delete", "undelete", "rename", "call", "move", "lead", "unlead"] as const),
  ...(["join", "leave", "newGroup", "deleteGroup"] as const),
];

type Step =
  | {
      do: (typeof DEEDS)[number];
      who: number;
      where: number;
    }
  | { do: "run"; mode: "full" | "incremental"; fault: FaultName | undefined; skip: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom(...DEEDS),
      who: fc.nat(50),
      where: fc.nat(10),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("run" as const),
      mode: fc.constantFrom("full", "incremental"),
      fault: fc.option(
        fc.constantFrom<FaultName>("reset", "truncated", "busy", "quota", "unavailable", "empty", "repeated", "circle", "unlinked", "worn"),
        { nil: undefined },
      ),
      skip: fc.nat(12),
    }),
  },
);

test(`B9: whatever happens at Google, whatever breaks in a run: the first whole run ends equal to the source (CHAOS_SEED=${CHAOS_SEED})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 8, maxLength: 40 }),
      whileTimeLasts(async (steps: Step[]) => {
        await start();
        try {
          fillCompany(fake, { people: 12 });
          let hired = 0;
          for (const each of steps) {
            if (each.do === "run") await struckRun(each);
            else act(each, hired++);
          }
          // An organisation without a single group is not believed: an empty answer takes nothing away.
          fake.organisation.addGroup({ email: "last@lab.test", name: "Last" });
          await sync("full");
          // Who came again while the account of before was still believed to be there waited for it to be gone.
          if (steps.some((each) => each.do === "rehire")) await sync("full");
          expect(await held()).toEqual(there());
          expect(await sync()).toMatchObject({ applied: { applied: 0 } });
        } finally {
          await stop();
        }
      }),
    ),
    chaos(4),
  );
}, 240_000);

/** A run in which one call is struck; it may fail, and then it is as if it had not been. */
async function struckRun({ mode, fault, skip }: Extract<Step, { do: "run" }>): Promise<void> {
  let left = skip;
  let over = false;
  if (fault !== undefined) fake.inject({ fault, when: () => !over && left-- === 0 });
  await sync(mode).catch((error: unknown) => expect(error).toMatchObject({ name: "Fault" }));
  over = true;
}

function act({ do: what, who, where }: Exclude<Step, { do: "run" }>, number: number): void {
  const { organisation } = fake;
  at += 1000;
  const pick = <T>(from: Iterable<T>, index: number): T | undefined => {
    const all = [...from];
    return all[index % Math.max(1, all.length)];
  };
  const user = pick(
    [...organisation.users.values()].filter(({ isAdmin }) => !isAdmin),
    who,
  );
  const group = pick(organisation.groups.values(), where);
  const unit = pick(organisation.units.values(), where);
  const gone = pick(organisation.deleted.keys(), who);
  if (what === "hire") organisation.addUser({ email: `n${number}@lab.test`, orgUnitPath: unit?.orgUnitPath ?? "/" });
  if (what === "newGroup") organisation.addGroup({ email: `g${number}@lab.test`, name: `G${number}` });
  if (what === "undelete" && gone !== undefined) organisation.undeleteUser(gone);
  if (what === "deleteGroup" && group !== undefined) organisation.deleteGroup(group.id);
  if (user === undefined) return;
  if (what === "suspend" || what === "restore") organisation.changeUser(user.id, { suspended: what === "suspend" });
  if (what === "delete") organisation.deleteUser(user.id);
  if (what === "rehire") {
    // Somebody who was here before, with another account: the number is the same. The one of before comes back no more.
    const former = gone === undefined ? undefined : organisation.deleted.get(gone);
    if (former) organisation.addUser({ email: `again${number}@lab.test`, externalIds: former["externalIds"] });
    organisation.deleted.delete(former?.id ?? "");
  }
  const leader = pick(organisation.users.values(), where * 7 + who);
  if (what === "lead" && leader !== undefined)
    organisation.changeUser(user.id, { relations: [{ type: "manager", value: leader.primaryEmail }] });
  if (what === "unlead") organisation.changeUser(user.id, { relations: [] });
  // Google keeps the old address as an alias, unless somebody takes it away.
  if (what === "call")
    organisation.changeUser(user.id, { primaryEmail: `c${number}@lab.test`, aliases: where % 2 ? [user.primaryEmail] : [] });
  if (what === "rename") organisation.changeUser(user.id, { primaryEmail: `r${number}@lab.test`, relations: [] });
  if (what === "move" && unit !== undefined) organisation.changeUser(user.id, { orgUnitPath: unit.orgUnitPath });
  if (what === "join" && group !== undefined) organisation.addMember(group.id, { id: user.id });
  if (what === "leave" && group !== undefined) organisation.removeMember(group.id, user.id);
}
