import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { conditionCandidates } from "../../src/access/condition-candidates.ts";
import { fulfils } from "../../src/access/condition-rules.ts";
import { loadPersonFacts } from "../../src/access/facts.ts";
import { giveGrant } from "../../src/access/grants.ts";
import { createRole } from "../../src/access/roles.ts";
import { compileCondition } from "../../src/access/rule-input.ts";
import { inTransaction } from "../../src/db/database.ts";
import { ENTERPRISE_USER } from "../../src/directory/attributes.ts";
import { createUnit } from "../../src/directory/units.ts";
import { speaksOf } from "../../src/expressions/speaks-of.ts";
import { DAY_ONE, HOUR, insertGroup, insertMembership, insertNesting, insertPerson, later } from "../directory/fixtures.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

let db: TestDatabase;
const everybody: string[] = [];
const now = later(10 * HOUR);
const ctx = testContext({ now: () => now });

/** People who differ in each field, with groups in groups, memberships that are over, and units with and without a code. */
beforeAll(async () => {
  db = await testDatabase();
  await inTransaction(db, testContext({ now: () => DAY_ONE }), async (work) => {
    const [inner, outer, gone] = [
      await insertGroup(work.sql, { displayName: "Inner" }),
      await insertGroup(work.sql, { displayName: "Outer" }),
      await insertGroup(work.sql, { displayName: "Gone" }),
    ];
    await insertNesting(work.sql, { childId: inner, parentId: outer });
    await work.sql.query("update groups set deleted_at = now() where id = $1", [gone]);
    const coded = await createUnit(work, { name: "Coded", code: "C1", type: "organization", parentId: null });
    const plain = await createUnit(work, { name: "Plain", type: "organization", parentId: null });
    await work.sql.query("insert into permissions (key, module, resource, action) values ('test.door.view', 'test', 'door', 'view')");
    await createRole(work, { key: "keeper", name: "Keeper", permissions: ["test.door.view"] });
    const [titles, departments, groups, units] = [
      ["a", "A", "", 7],
      ["a", "b", null],
      [inner, outer, gone, null],
      [coded, plain, null],
    ];
    for (let number = 0; number < 24; number += 1) {
      const pick = <T>(list: readonly T[], step: number): T | undefined => list[Math.floor(number / step) % list.length];
      const id = await insertPerson(work.sql, {
        state: number === 6 ? "deactivated" : "active",
        attributes: {
          ...(number === 3 ? {} : { title: pick(titles, 1) ?? "" }),
          name: { givenName: number % 2 ? "a" : "b" },
          emails: number === 4 ? "none" : [{ value: `a${number % 3}@example.com` }],
          [ENTERPRISE_USER]: { department: pick(departments, 2) ?? "" },
        },
      });
      everybody.push(id);
      await work.sql.query("update people set custom = $2 where id = $1", [id, JSON.stringify(number % 2 ? { floor: "a" } : {})]);
      const [groupId, unitId] = [pick(groups, 1), pick(units, 4)];
      if (groupId) await insertMembership(work.sql, { groupId, personId: id, ...(number === 8 ? { to: later(HOUR) } : {}) });
      if (unitId)
        await work.sql.query("insert into person_units (person_id, unit_id, valid_from, recorded_from) values ($1, $2, $3, $3)", [
          id,
          unitId,
          DAY_ONE,
        ]);
      if (number % 5 === 0) await giveGrant(work, { personId: id, role: "keeper", unit: "C1" });
    }
  });
});
afterAll(() => db?.drop());

const leaf = fc.oneof(
  fc
    .record({ field: fc.constantFrom("title", "department", "givenName", "locale"), text: fc.constantFrom("a", "A", "b", "7", "", "x\0") })
    .map(({ field, text }) => `person.${field} == ${JSON.stringify(text).replace("\\u0000", "\\x00")}`),
  fc
    .record({
      field: fc.constantFrom("groups", "units", "roles"),
      text: fc.constantFrom("Inner", "Outer", "outer", "Gone", "C1", "c1", "Plain", "keeper"),
    })
    .map(({ field, text }) => `"${text}" in person.${field}`),
  fc.constantFrom(
    "person.active",
    'person.email == "a1@example.com"',
    "has(person.custom.floor)",
    "size(person.groups) > 1",
    "person.manager == person.origin",
  ),
);
const { condition } = fc.letrec<{ condition: string }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc
      .tuple(tie("condition"), fc.constantFrom("&&", "||"), tie("condition"))
      .map(([first, sign, second]) => `(${first} ${sign} ${second})`),
    tie("condition").map((inner) => `!(${inner})`),
  ),
}));

test("whatever a condition asks, whoever fulfils it is among the candidates, and what is read for it is enough to tell", async () => {
  await fc.assert(
    fc.asyncProperty(condition, async (source) => {
      const rule = { id: "", name: "any", condition: source, matches: compileCondition(source, "rule.condition") };
      const { fields, implied } = speaksOf({ source, subject: "person" });
      const fulfilling = async (asked: ReadonlySet<string> | undefined) =>
        (await loadPersonFacts(db.pool, { personIds: everybody, at: now, fields: asked }))
          .filter((person) => fulfils({ ctx }, { rule, person }))
          .map(({ id }) => id)
          .sort();
      const whole = await fulfilling(undefined);
      expect(await fulfilling(fields)).toEqual(whole);
      const candidates = await conditionCandidates(db.pool, { implied, at: now });
      expect(candidates).toEqual([...candidates].sort());
      expect(new Set(candidates).size).toBe(candidates.length);
      expect(candidates).toEqual(expect.arrayContaining(whole));
    }),
    { numRuns: 60 },
  );
});

test("nobody else is a candidate where the condition says who it can be", async () => {
  const candidates = async (source: string) =>
    (await conditionCandidates(db.pool, { implied: speaksOf({ source, subject: "person" }).implied, at: now })).length;
  expect(await candidates("person.active")).toBe(24);
  expect(await candidates('"Outer" in person.groups')).toBe(11);
  expect(await candidates('person.title == "a"')).toBe(6);
  // The half of an alternative that SQL has no word for leaves nothing of the other half behind.
  expect(await candidates('person.title == "a" || "Inner" in person.roles')).toBe(24);
  expect(await candidates('person.title == "a" && "Outer" in person.groups && person.active')).toBe(5);
  expect(await candidates('"C1" in person.units || "Plain" in person.units')).toBe(16);
});
