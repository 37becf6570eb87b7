import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { openDirectory, type Directory } from "../helpers/ldap.ts";
import { testConnection, UNGUARDED } from "../helpers/sync.ts";
import { syncDirectory } from "../helpers/sync-directory.ts";
import { whileTimeLasts } from "../helpers/while-time-lasts.ts";

const ctx = testContext();
const number = fc.nat(1000);
/** What somebody does in the directory, or a sync; numbers choose among the entries that are there. */
const STEPS = ["join", "join", "leave", "rename", "move", "title", "unit", "rename unit", "rename unit", "move unit", "drop unit"] as const;
const OF_GROUPS = ["group", "members", "members", "rename group", "drop group"] as const;
const step = fc.oneof(
  { weight: 7, arbitrary: fc.record({ do: fc.constantFrom(...STEPS, ...OF_GROUPS), one: number, other: number, third: number }) },
  { weight: 2, arbitrary: fc.constant({ do: "sync" as const }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
type Change = Exclude<Step, { do: "sync" }>;

const of = <T>(all: readonly T[], at: number): T | undefined => all[at % all.length];
/** Few names, so that they pass from one to another. */
const NAMES = ["a", "b", "c"];
const named = (type: string, at: number) => `${type}=${of(NAMES, at)}`;
const rdn = (dn: string) => dn.split(",")[0] ?? "";

/** Does it, where the directory lets it be done. `mark`: what nobody else is called. */
async function happen(directory: Directory, { do: what, one, other, third }: Change, mark: string): Promise<unknown> {
  const { admin, people: base } = directory;
  const find = async (filter: string) =>
    (await admin.search(base, { filter: `(&${filter}(!(employeeType=stays)))`, attributes: ["1.1"] })).searchEntries.map(({ dn }) => dn);
  const people = await find("(objectClass=inetOrgPerson)");
  const units = (await find("(objectClass=organizationalUnit)")).filter((dn) => dn !== base);
  const groups = await find("(objectClass=groupOfNames)");
  const places = [base, ...units];
  const [who, unit, group, place] = [of(people, one), of(units, one), of(groups, one), of(places, other) ?? base];
  const add = (dn: string, entry: Record<string, string | string[]>) => admin.add(dn, entry);
  const entry = { cn: mark, sn: mark, employeeNumber: mark };
  const leader = of(people, third);
  switch (what) {
    case "join":
      return add(`${named("uid", one)},${place}`, { objectClass: "inetOrgPerson", ...entry, ...(leader ? { manager: leader } : {}) });
    case "leave":
      return who && admin.del(who);
    case "rename":
      return who && admin.modifyDN(who, named("uid", other));
    case "move":
      return who && admin.modifyDN(who, `${rdn(who)},${place}`);
    case "title":
      return who && directory.replace(who, "title", [mark]);
    case "unit":
      return add(`${named("ou", one)},${place}`, { objectClass: "organizationalUnit" });
    case "rename unit":
      return unit && admin.modifyDN(unit, named("ou", other));
    case "move unit":
      return unit && place !== unit && !place.endsWith(`,${unit}`) ? admin.modifyDN(unit, `${rdn(unit)},${place}`) : undefined;
    case "drop unit":
      return unit && admin.del(unit);
    case "group":
      return who && add(`${named("cn", third)},${place}`, { objectClass: "groupOfNames", description: mark, member: [who] });
    case "members": {
      const member = of([...people, ...groups], other);
      const before = group ? await directory.values(group, "member") : [];
      const after = member && before.includes(member) ? before.filter((each) => each !== member) : [...before, ...(member ? [member] : [])];
      return group && member !== group ? directory.replace(group, "member", after) : undefined;
    }
    case "rename group":
      return group && admin.modifyDN(group, `${named("cn", other)},${of(places, third)}`);
    case "drop group":
      return group && admin.del(group);
  }
}

/** Two units in each other, with somebody in each, and a group of both. */
const BEGINNING: readonly Change[] = [
  { do: "unit", one: 0, other: 0, third: 0 },
  { do: "unit", one: 1, other: 1, third: 0 },
  { do: "join", one: 0, other: 1, third: 0 },
  { do: "join", one: 1, other: 2, third: 0 },
  { do: "group", one: 0, other: 0, third: 0 },
  { do: "members", one: 0, other: 1, third: 0 },
];

const MAPPING = {
  user: { attributes: { userName: "account.employeeNumber", manager: "account.manager", title: "account.title" } },
  group: { attributes: { displayName: "account.description" } },
  unit: { attributes: { name: "account.ou" } },
};

async function sync(db: TestDatabase, directory: Directory, mode: "full" | "incremental"): Promise<void> {
  const base = { base: directory.people };
  const users = { ...base, attributes: ["employeeNumber", "manager", "title"] };
  await syncDirectory(ctx, { db, directory, mode, settings: { users, groups: base, units: base } });
}

async function standing(db: TestDatabase): Promise<string[]> {
  const { rows } = await db.pool.query<{ line: string }>(
    `select p.user_name || ' ' || coalesce(p.attributes->>'title', '') || coalesce(' of ' || m.user_name, '') as line from people p left join people m on m.id = p.manager_id and m.active where p.active
     union all select g.display_name || ': ' || p.user_name from memberships m join groups g on g.id = m.group_id join people p on p.id = m.person_id where m.recorded_to is null and m.valid_to is null
     union all select g.display_name || ': ' || c.display_name from nestings n join groups g on g.id = n.parent_group_id join groups c on c.id = n.child_group_id where n.recorded_to is null and n.valid_to is null
     union all select 'unit ' || u.name || coalesce(' in ' || p.name, '') from units u left join units p on p.id = u.parent_id where u.deleted_at is null
     order by line`,
  );
  return rows.map(({ line }) => line);
}

test("B9, invariant 3 (slapd, refint): whatever is renamed, moved and made anew between increments, they end where a first read does", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 20, maxLength: 60 }),
      whileTimeLasts(async (steps) => {
        const [db, fresh, directory] = [await testDatabase(), await testDatabase(), await openDirectory()];
        try {
          for (const each of [db, fresh]) await testConnection(each, ctx, { limits: UNGUARDED, mapping: MAPPING });
          // An answer of nothing at all proves nothing: somebody is always there.
          const stays = { cn: "stays", employeeNumber: "stays", employeeType: "stays", objectClass: ["inetOrgPerson", "extensibleObject"] };
          await directory.admin.add(`uid=stays,${directory.people}`, { ...stays, sn: "stays" });
          const member = `uid=stays,${directory.people}`;
          const group = { ...stays, objectClass: ["groupOfNames", "extensibleObject"], description: "STAYS", member };
          await directory.admin.add(`cn=stays,${directory.people}`, group);
          for (const [index, each] of BEGINNING.entries()) await happen(directory, each, `b${index}`);
          await sync(db, directory, "full");
          for (const [index, each] of steps.entries()) {
            if (each.do === "sync") await sync(db, directory, "incremental");
            // What the directory refuses (a name that is taken, a unit that is not empty) does not happen.
            else await happen(directory, each, `m${index}`).catch(() => undefined);
          }
          await sync(db, directory, "incremental");
          await sync(fresh, directory, "full");
          expect(await standing(db)).toEqual(await standing(fresh));
        } finally {
          await directory.stop();
          await Promise.all([db.drop(), fresh.drop()]);
        }
      }),
    ),
    { numRuns: Number(process.env["CONVERGENCE_RUNS"] ?? 8) },
  );
});
