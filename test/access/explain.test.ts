import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { accessOnUnit, checkAccess } from "../../src/access/effective.ts";
import { attributesNamed, explainAccess, type Explanation } from "../../src/access/explain.ts";
import type { Removable } from "../../src/access/explain-removal.ts";
import { giveGrant, revokeGrant } from "../../src/access/grants.ts";
import { removalSets, type Step as WayStep } from "../../src/access/removal.ts";
import { updateRole } from "../../src/access/roles.ts";
import { createRule, deleteRule } from "../../src/access/rules.ts";
import type { MissingLink } from "../../src/access/why-not.ts";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { closePeriods, type PeriodTable } from "../../src/directory/periods.ts";
import { updateUnit } from "../../src/directory/units.ts";
import { DAY_ONE, HOUR, insertConnection, insertMembership, standingClock } from "../directory/fixtures.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { assertUntilSeen } from "../helpers/until-seen.ts";
import { whileTimeLasts } from "../helpers/while-time-lasts.ts";
import { found, PEOPLE, PERMISSIONS, steps, take, UNITS, type Organisation } from "./organisation.ts";

let db: TestDatabase;
const clock = standingClock();
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: clock.now }), flow);
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db?.drop());

class Undone extends Error {}

/** What comes of something that is undone at once. */
async function tried<T>(flow: (work: Work) => Promise<T>): Promise<T> {
  let result: { value: T } | undefined;
  await inWork(async (work) => {
    result = { value: await flow(work) };
    throw new Undone();
  }).catch((error: unknown) => {
    if (!(error instanceof Undone)) throw error;
  });
  if (!result) throw new Error("nothing came of it");
  return result.value;
}

interface Asked {
  personId: string;
  permission: string;
  unitId: string;
  at: Date;
}

async function close(work: Work, { table, where, values }: { table: PeriodTable; where: string; values: unknown[] }): Promise<void> {
  const { rows } = await work.sql.query<{ id: number }>(
    `select id from ${table} where ${where} and recorded_to is null and (valid_to is null or valid_to > '${work.ctx.now().toISOString()}')`,
    values,
  );
  await closePeriods(work.sql, { table, ids: rows.map(({ id }) => id), at: work.ctx.now() });
}

async function remove(work: Work, { thing, asked }: { thing: Removable; asked: Asked }): Promise<void> {
  switch (thing.kind) {
    case "membership":
      return close(work, { table: "memberships", where: "group_id = $1 and person_id = $2", values: [thing.groupId, asked.personId] });
    case "nesting":
      return close(work, {
        table: "nestings",
        where: "child_group_id = $1 and parent_group_id = $2",
        values: [thing.childId, thing.parentId],
      });
    case "grant":
      return revokeGrant(work, { grantId: thing.grantId, reason: "test" });
    case "rule": {
      const { rows } = await work.sql.query<{ name: string }>("select name from rules where id = $1", [thing.ruleId]);
      return deleteRule(work, { name: rows[0]?.name ?? "" });
    }
    case "inheritance":
      return close(work, { table: "role_parents", where: "role_id = $1 and parent_role_id = $2", values: [thing.roleId, thing.parentId] });
    case "content":
      return close(work, {
        table: "role_permissions",
        where: "role_id = $1 and permission_key = $2",
        values: [thing.roleId, asked.permission],
      });
  }
}

/** Whether there is access once these are gone. */
const without = (things: readonly Removable[], asked: Asked) =>
  tried(async (work) => {
    for (const thing of things) await remove(work, { thing, asked });
    return checkAccess(work.sql, asked);
  });

async function requireRemovals(explanation: Explanation, asked: Asked): Promise<void> {
  expect(explanation.removals.length).toBeGreaterThan(0);
  for (const set of explanation.removals) {
    expect([set, await without(set, asked)]).toEqual([set, false]);
    for (const kept of set) {
      const fewer = set.filter((thing) => thing !== kept);
      expect([set, "without", kept, await without(fewer, asked)]).toEqual([set, "without", kept, true]);
    }
  }
}

/** Does what a missing link says, and asks again. */
const closed = (link: MissingLink, asked: Asked) =>
  tried(async (work) => {
    const { sql, ctx } = work;
    const role = link.role ?? "";
    if (link.kind === "not_a_member" || link.kind === "membership_ended") {
      await insertMembership(sql, { groupId: link.groupId ?? "", personId: asked.personId, from: ctx.now() });
    } else if (link.kind === "role_lacks_it") {
      const { rows } = await sql.query<{ keys: string[] }>(
        "select array_agg(permission_key) as keys from role_permissions c join roles r on r.id = c.role_id where r.key = $1 and c.recorded_to is null and c.valid_to is null",
        [role],
      );
      await updateRole(work, { key: role, permissions: [...(rows[0]?.keys ?? []), asked.permission] });
    } else {
      const holder = link.groupId === null ? { personId: asked.personId } : { groupId: link.groupId };
      await giveGrant(work, { ...holder, role, unit: asked.unitId });
    }
    return checkAccess(sql, asked);
  });

async function walk(actions: Parameters<typeof take>[2][]): Promise<Organisation> {
  clock.set(DAY_ONE);
  const organisation = await inWork(found);
  for (const action of actions) {
    clock.forward(action.hours * HOUR);
    await inWork((work) => take(work, organisation, action));
  }
  return organisation;
}

describe("why", () => {
  test("B4: over random organisations the explanation says what effective access says; a derivation, removed, is really gone, and nothing in a removal is idle", async () => {
    let removed = 0;
    await assertUntilSeen(
      fc.asyncProperty(
        steps,
        fc.nat(UNITS - 1),
        fc.nat(PERMISSIONS.length - 1),
        fc.nat(40),
        whileTimeLasts(
          async (actions, unit, permission, halfHours) => {
            const organisation = await walk(actions);
            for (let person = 0; person < PEOPLE; person += 1) {
              const asked = {
                personId: organisation.people[person] ?? "",
                permission: PERMISSIONS[permission] ?? "",
                unitId: organisation.units[unit] ?? "",
                at: clock.now(),
              };
              const explanation = await explainAccess(db.pool, { ...asked, otherWays: true });
              const rows = await accessOnUnit(db.pool, asked);
              expect(explanation.allowed).toBe(rows.length > 0);
              if (explanation.allowed) {
                const byHand = rows.map((row) => [row.grantId, row.memberGroupId, row.endsAt]).sort();
                const ways = new Set(byHand.map((each) => JSON.stringify(each)));
                const told = explanation.derivations.map(({ grant, membership, endsAt }) =>
                  JSON.stringify([grant.id, membership?.groupId ?? null, endsAt]),
                );
                expect(new Set(told)).toEqual(ways);
                await requireRemovals(explanation, asked);
                removed += explanation.removals.length;
              }
              const past = {
                ...asked,
                at: new Date(DAY_ONE.getTime() + (halfHours * HOUR) / 2),
                knownAt: new Date(clock.now().getTime() - HOUR),
              };
              expect((await explainAccess(db.pool, { ...past, otherWays: true })).allowed).toBe(
                (await accessOnUnit(db.pool, past)).length > 0,
              );
            }
          },
          { enough: () => removed > 0 },
        ),
      ),
      { numRuns: 12, seen: () => removed },
    );
  });

  test("B4: why not: each missing link, closed, really opens the access", async () => {
    let closings = 0;
    await assertUntilSeen(
      fc.asyncProperty(
        steps,
        fc.nat(UNITS - 1),
        fc.nat(PERMISSIONS.length - 1),
        whileTimeLasts(
          async (actions, unit, permission) => {
            const organisation = await walk(actions);
            const asked = {
              personId: organisation.people[0] ?? "",
              permission: PERMISSIONS[permission] ?? "",
              unitId: organisation.units[unit] ?? "",
              at: clock.now(),
            };
            const { missing, derivations, blockedBy } = await explainAccess(db.pool, { ...asked, otherWays: true });
            expect(derivations.length === 0 || missing.length === 0).toBe(true);
            if (blockedBy.length > 0) return;
            for (const link of missing.filter(({ kind }) => kind !== "no_role_has_it" && kind !== "member_time_over")) {
              expect([link, await closed(link, asked)]).toEqual([link, true]);
              closings += 1;
            }
          },
          { enough: () => closings > 0 },
        ),
      ),
      { numRuns: 15, seen: () => closings },
    );
  });

  test("B4: from a source's record over group, nesting, rule and role down the units; a rule is taken away whole", async () => {
    const organisation = await walk([
      { hours: 0, do: "nest", a: 0, b: 1, on: true },
      { hours: 0, do: "role", a: 1, permissions: [], inherits: [0] },
    ]);
    const [personId = "", ...others] = organisation.people;
    const [child = "", parent = ""] = organisation.groups;
    const connectionId = await insertConnection(db.pool, { name: "corporate" });
    await insertMembership(db.pool, { groupId: child, personId, connectionId });
    const { rows } = await db.pool.query<{ name: string }>("select display_name as name from groups where id = $1", [parent]);
    await inWork((work) => updateUnit(work, { unitId: organisation.units[0] ?? "", code: "top" }));
    await inWork((work) =>
      createRule(work, { name: "door openers", group: rows[0]?.name ?? "", role: organisation.roles[1] ?? "", unit: "top" }),
    );
    const asked = { personId, permission: PERMISSIONS[0] ?? "", unitId: organisation.units[3] ?? "", at: clock.now() };
    const explanation = await explainAccess(db.pool, { ...asked, otherWays: true });
    expect(explanation.derivations).toHaveLength(1);
    expect(explanation.derivations[0]).toMatchObject({
      membership: { groupId: child, sources: [{ connection: "corporate", accountId: null }] },
      nestings: [{ groupId: parent }],
      rule: { name: "door openers", condition: null },
      grant: { source: "rule" },
      roles: [{ key: organisation.roles[1] }, { key: organisation.roles[0] }],
      units: [{ code: "top" }, { id: organisation.units[1] }, { id: organisation.units[3] }],
      endsAt: null,
    });
    expect(explanation.removals.map((set) => set.map(({ kind }) => kind)).sort()).toEqual([
      ["content"],
      ["inheritance"],
      ["membership"],
      ["nesting"],
      ["rule"],
    ]);
    await requireRemovals(explanation, asked);
    // Somebody else is told which group to join, when they may know of it.
    const other = { ...asked, personId: others[0] ?? "" };
    const { missing } = await explainAccess(db.pool, { ...other, otherWays: true });
    expect(missing).toEqual([
      expect.objectContaining({ kind: "not_a_member", groupId: parent, rule: "door openers", role: organisation.roles[1] }),
    ]);
    expect((await explainAccess(db.pool, { ...other, otherWays: false })).missing).toEqual([]);
  });

  test("B4: a block stands beside the derivations that would hold without it", async () => {
    const organisation = await walk([
      { hours: 0, do: "member", a: 0, b: 0, on: true },
      { hours: 0, do: "give", person: null, group: 0, role: 0, unit: 0, after: 0, lasts: null, seconds: null },
      { hours: 1, do: "block", a: 0, on: true },
    ]);
    const asked = {
      personId: organisation.people[0] ?? "",
      permission: PERMISSIONS[0] ?? "",
      unitId: organisation.units[1] ?? "",
      at: clock.now(),
    };
    const explanation = await explainAccess(db.pool, { ...asked, otherWays: true });
    expect(explanation).toMatchObject({ allowed: false, missing: [] });
    expect(explanation.blockedBy).toEqual([
      expect.objectContaining({ kind: "state", what: "deactivated" }),
      expect.objectContaining({ kind: "block", what: "admin", reason: "test", since: clock.now() }),
    ]);
    expect(explanation.derivations).toHaveLength(1);
  });
});

describe("what would remove it", () => {
  const node = fc.nat(4).map(String);
  const step: fc.Arbitrary<WayStep> = fc.record({ from: node, to: node, element: fc.constantFrom("a", "b", "c", "d", "e") });
  const leads = (ways: readonly WayStep[], removed: ReadonlySet<string>): boolean => {
    const reached = new Set(["0"]);
    for (const at of reached) for (const { from, to, element } of ways) if (from === at && !removed.has(element ?? "")) reached.add(to);
    return reached.has("4");
  };

  test("B4: exactly the minimal sets, compared with trying all sets", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (ways) => {
        const all = Array.from({ length: 32 }, (_, mask) => new Set(["a", "b", "c", "d", "e"].filter((__, bit) => mask & (1 << bit))));
        const cuts = all.filter((set) => !leads(ways, set));
        const minimal = cuts.filter(
          (set) => !cuts.some((other) => other.size < set.size && [...other].every((element) => set.has(element))),
        );
        const { sets, complete } = removalSets(ways, { start: "0", end: "4", most: 40 });
        const named = (each: Iterable<string>) => [...each].sort().join("");
        expect([complete, sets.map(named).sort()]).toEqual([true, minimal.map(named).sort()]);
      }),
    );
  });

  test("B4: one set in any case, however many there are", () => {
    const ways = Array.from({ length: 14 }, (_, lane) =>
      ["x", "y", "z"].map((name, place): WayStep => ({
        from: place === 0 ? "0" : `${lane} ${place}`,
        to: place === 2 ? "4" : `${lane} ${place + 1}`,
        element: `${name}${lane}`,
      })),
    ).flat();
    const { sets, complete } = removalSets(ways, { start: "0", end: "4" });
    expect([sets.length, sets[0]?.length, complete]).toEqual([1, 14, false]);
  });
});

test("the attributes that a condition asks for, each with who masters it", () => {
  expect(attributesNamed("person.department == 'x' && person.title != person.department", { "*": "hr", title: "corporate" })).toEqual([
    { name: "department", connection: "hr" },
    { name: "title", connection: "corporate" },
  ]);
  expect(attributesNamed(null, {})).toEqual([]);
});
