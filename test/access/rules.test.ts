import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { evaluateConditionRules } from "../../src/access/condition-rules.ts";
import { effectiveAccess } from "../../src/access/effective.ts";
import { revokeGrant } from "../../src/access/grants.ts";
import { reconcileGroupRules } from "../../src/access/group-rules.ts";
import { createRole } from "../../src/access/roles.ts";
import { createRule, deleteRule, listRules, loadRulesFile, updateRule } from "../../src/access/rules.ts";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { liftBlocks, raiseBlocks } from "../../src/directory/blocks.ts";
import { createUnit } from "../../src/directory/units.ts";
import {
  DAY_ONE,
  HOUR,
  insertConnection,
  insertGroup,
  insertMembership,
  insertPerson,
  later,
  standingClock,
} from "../directory/fixtures.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

let db: TestDatabase;
const clock = standingClock();
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: clock.now }), flow);
beforeAll(async () => {
  db = await testDatabase();
  await db.pool.query("insert into permissions (key, module, resource, action) values ('test.door.view', 'test', 'door', 'view')");
  await inWork((work) => createRole(work, { key: "visitor", name: "Visitor", permissions: ["test.door.view"] }));
});
afterAll(() => db.drop());

const unique = (prefix: string) => `${prefix}-${randomUUID()}`;
const units = async (personId: string, at = clock.now()) => [
  ...new Set((await effectiveAccess(db.pool, { personId, at })).map((row) => row.unitId)),
];
const grantsOfRule = async (name: string) =>
  (
    await db.pool.query(
      "select g.person_id, g.group_id, g.rule_version, g.valid_from, g.valid_to from grants g join rules r on r.id = g.rule_id where r.name = $1 and g.recorded_to is null order by g.valid_from, g.id",
      [name],
    )
  ).rows;
const evaluate = (...personIds: string[]) => inWork((work) => evaluateConditionRules(work, { personIds }));

describe("rules on groups", () => {
  test("M3: rule, group, unit and member may come in any order: one grant, to the group, in the end", async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(["rule", "group", "unit", "member"], { minLength: 4 }), fc.boolean(), async (order, again) => {
        const [name, code, groupName] = [unique("rule"), unique("unit"), unique("Group")];
        const [groupId, unitId, personId] = [randomUUID(), randomUUID(), await insertPerson(db.pool)];
        for (const thing of order) {
          clock.forward(HOUR);
          const arrive = () =>
            inWork(async (work) => {
              if (thing === "rule")
                await createRule(work, {
                  name,
                  group: groupName.toUpperCase(),
                  role: "visitor",
                  unit: code,
                  expiresAfterSeconds: 9 * 3600,
                });
              if (thing === "group") await insertGroup(work.sql, { id: groupId, displayName: groupName, at: clock.now() });
              if (thing === "unit") await createUnit(work, { id: unitId, name: "Unit", code });
              if (thing === "member") await insertMembership(work.sql, { groupId, personId, from: DAY_ONE });
              await reconcileGroupRules(work, { groupIds: [groupId], unitIds: [unitId] });
            });
          await arrive();
          if (again) await inWork((work) => reconcileGroupRules(work, { groupIds: [groupId] }));
        }
        expect(await grantsOfRule(name)).toMatchObject([{ group_id: groupId, person_id: null, rule_version: 1, valid_to: null }]);
        const { rows } = await db.pool.query(
          "select count(*)::int as events from audit_events where name = 'grant.given' and data ->> 'rule' = $1",
          [name],
        );
        expect(rows[0].events).toBe(1);
        // The member's time is counted from the membership, not from when the last of them came.
        expect(await units(personId, later(9 * HOUR - 1))).toEqual(
          later(9 * HOUR - 1) >= (await grantsOfRule(name))[0].valid_from ? [unitId] : [],
        );
        expect(await units(personId, later(9 * HOUR))).toEqual([]);
        clock.set(DAY_ONE);
      }),
      { numRuns: 14 },
    );
  });

  test("M3: two rules that arrive in different transactions at once with their group and unit are not lost", async () => {
    const [name, code, groupName] = [unique("rule"), unique("unit"), unique("Group")];
    await inWork((work) => createRule(work, { name, group: groupName, role: "visitor", unit: code }));
    await Promise.all([
      inWork(async (work) => {
        const id = await insertGroup(work.sql, { displayName: groupName });
        await reconcileGroupRules(work, { groupIds: [id] });
      }),
      inWork(async (work) => {
        const id = await createUnit(work, { name: "Unit", code });
        await reconcileGroupRules(work, { unitIds: [id] });
      }),
    ]);
    expect((await grantsOfRule(name)).length).toBe(1);
  });

  test("M3: a new version supersedes the grants, a rule that is gone or off closes them, a rule saved as it is changes nothing", async () => {
    const [name, code, groupName] = [unique("rule"), unique("unit"), unique("Group")];
    const groupId = await insertGroup(db.pool, { displayName: groupName });
    await inWork((work) => createUnit(work, { name: "Unit", code }));
    const rule = { name, group: groupName, role: "visitor", unit: code };
    await inWork((work) => createRule(work, rule));
    clock.forward(HOUR);
    await inWork((work) => updateRule(work, rule));
    expect((await grantsOfRule(name)).map((grant) => grant.rule_version)).toEqual([1]);
    await inWork((work) => updateRule(work, { ...rule, expiresAt: later(5 * HOUR, clock.now()).toISOString() }));
    expect(await grantsOfRule(name)).toMatchObject([
      { rule_version: 1, valid_to: clock.now() },
      { rule_version: 2, valid_from: clock.now(), valid_to: later(5 * HOUR, clock.now()), group_id: groupId },
    ]);
    clock.forward(6 * HOUR);
    expect(await inWork((work) => reconcileGroupRules(work))).toEqual({ given: 0, closed: 0 });
    await inWork((work) => updateRule(work, { ...rule, enabled: false }));
    await inWork((work) => updateRule(work, rule));
    clock.forward(HOUR);
    await inWork((work) => deleteRule(work, { name }));
    expect((await grantsOfRule(name)).at(-1)).toMatchObject({ rule_version: 4, valid_to: clock.now() });
    await expect(inWork((work) => deleteRule(work, { name }))).rejects.toMatchObject({ code: "not_found" });
    await inWork((work) => createRule(work, rule));
    expect((await grantsOfRule(name)).at(-1)).toMatchObject({ rule_version: 6, valid_to: null });
  });

  test("M3: a rule for the groups of one connection does not take another's group of the same name", async () => {
    const [name, code, groupName, hr] = [unique("rule"), unique("unit"), unique("Group"), unique("hr")];
    const connectionId = await insertConnection(db.pool, { name: hr });
    const [mine, other] = [await insertGroup(db.pool, { displayName: groupName }), await insertGroup(db.pool, { displayName: groupName })];
    await db.pool.query("update groups set origin_id = $2 where id = $1", [mine, connectionId]);
    await inWork((work) => createUnit(work, { name: "Unit", code }));
    await inWork((work) => createRule(work, { name, group: groupName, connection: hr, role: "visitor", unit: code }));
    expect((await grantsOfRule(name)).map((grant) => grant.group_id)).toEqual([mine]);
    await inWork((work) => updateRule(work, { name, group: groupName, role: "visitor", unit: code }));
    expect(
      (await grantsOfRule(name))
        .filter((grant) => grant.valid_to === null)
        .map((grant) => grant.group_id)
        .sort(),
    ).toEqual([mine, other].sort());
    await expect(
      inWork((work) => createRule(work, { name: "x", group: "x", connection: "nobody", role: "visitor", unit: "x" })),
    ).rejects.toMatchObject({ code: "not_found", field: "connection" });
  });
});

describe("rules on conditions", () => {
  async function contractor(): Promise<{ name: string; code: string; unitId: string; personId: string; kind: string }> {
    const [name, code, kind] = [unique("rule"), unique("unit"), unique("kind")];
    const unitId = await inWork((work) => createUnit(work, { name: "Unit", code }));
    const personId = await insertPerson(db.pool, { attributes: { userType: kind } });
    return { name, code, unitId, personId, kind };
  }
  const conditionOf = (kind: string) => `person.userType == '${kind}'`;

  test("M3: who fulfils the condition gets the grant, who does not any more loses it; nothing is done twice", async () => {
    const { name, code, unitId, personId, kind } = await contractor();
    await inWork((work) => createRule(work, { name, condition: conditionOf(kind), role: "visitor", unit: code }));
    expect(await units(personId)).toEqual([unitId]);
    expect(await evaluate(personId)).toEqual({ begun: 0, ended: 0 });
    clock.forward(HOUR);
    await db.pool.query(`update people set attributes = '{"userType":"else"}' where id = $1`, [personId]);
    expect(await evaluate(personId)).toEqual({ begun: 0, ended: 1 });
    expect(await units(personId)).toEqual([]);
    expect((await grantsOfRule(name)).length).toBe(1);
  });

  test("invariant 6: an expired grant is not resurrected by the next evaluation; a match that begins anew is a new one", async () => {
    const { name, code, unitId, personId, kind } = await contractor();
    await inWork((work) =>
      createRule(work, { name, condition: conditionOf(kind), role: "visitor", unit: code, expiresAfterSeconds: 3600 }),
    );
    const begun = clock.now();
    clock.set(later(HOUR, begun));
    expect(await units(personId)).toEqual([]);
    await evaluate(personId);
    expect(await units(personId)).toEqual([]);
    clock.forward(HOUR);
    await evaluate(personId);
    expect(await grantsOfRule(name)).toMatchObject([{ valid_from: begun, valid_to: later(HOUR, begun) }]);
    // A longer time is counted from the same beginning.
    await inWork((work) =>
      updateRule(work, { name, condition: conditionOf(kind), role: "visitor", unit: code, expiresAfterSeconds: 3 * 3600 }),
    );
    expect((await grantsOfRule(name)).at(-1)).toMatchObject({ valid_from: clock.now(), valid_to: later(3 * HOUR, begun) });
    clock.set(later(4 * HOUR, begun));
    await db.pool.query("update people set attributes = '{}' where id = $1", [personId]);
    await evaluate(personId);
    await db.pool.query("update people set attributes = $2 where id = $1", [personId, JSON.stringify({ userType: kind })]);
    clock.forward(HOUR);
    await evaluate(personId);
    expect(await units(personId)).toEqual([unitId]);
    expect((await grantsOfRule(name)).at(-1)).toMatchObject({ valid_from: clock.now(), valid_to: later(3 * HOUR, clock.now()) });
  });

  test("invariant 5: whom a rule gives anew by a clock that is behind loses it again, and so does whose match reaches into the one before it", async () => {
    const { name, code, personId, kind } = await contractor();
    const begun = clock.now();
    const become = async (userType: string, at: Date) => {
      await db.pool.query("update people set attributes = $2 where id = $1", [personId, JSON.stringify({ userType })]);
      clock.set(at);
      return evaluate(personId);
    };
    await inWork((work) => createRule(work, { name, condition: conditionOf(kind), role: "visitor", unit: code }));
    expect(await become("else", later(2 * HOUR, begun))).toEqual({ begun: 0, ended: 1 });
    expect(await become(kind, later(HOUR, begun))).toEqual({ begun: 1, ended: 0 });
    expect(await become("else", later(3 * HOUR, begun))).toEqual({ begun: 0, ended: 1 });
    expect(await units(personId)).toEqual([]);
    await become(kind, later(4 * HOUR, begun));
    await db.pool.query("update rule_matches set valid_from = $2 where person_id = $1 and recorded_to is null and valid_to is null", [
      personId,
      later(HOUR, begun),
    ]);
    expect(await become("else", later(5 * HOUR, begun))).toEqual({ begun: 0, ended: 1 });
    expect(await units(personId)).toEqual([]);
  });

  test("P5, invariant 5: who is deactivated loses the grant, and gets it again from the rule after coming back", async () => {
    const { name, code, unitId, personId, kind } = await contractor();
    await inWork((work) => createRule(work, { name, condition: conditionOf(kind), role: "visitor", unit: code }));
    clock.forward(HOUR);
    await inWork((work) => raiseBlocks(work, [{ personId, owner: "admin", effect: "deactivated", reason: "left" }]));
    expect((await grantsOfRule(name)).map((grant) => grant.valid_to)).toEqual([clock.now()]);
    expect(await evaluate(personId)).toEqual({ begun: 0, ended: 0 });
    clock.forward(HOUR);
    await inWork(async (work) => evaluateConditionRules(work, { personIds: await liftBlocks(work, [{ personId, owner: "admin" }]) }));
    expect(await units(personId)).toEqual([unitId]);
  });

  test("M3: the unit may come later; a grant that a rule makes can't be revoked by hand; a condition that fails matches nobody", async () => {
    const { name, personId, kind } = await contractor();
    const code = unique("unit");
    await inWork((work) => createRule(work, { name, condition: conditionOf(kind), role: "visitor", unit: code }));
    expect(await grantsOfRule(name)).toEqual([]);
    const unitId = await inWork(async (work) => {
      const id = await createUnit(work, { name: "Later", code });
      await reconcileGroupRules(work, { unitIds: [id] });
      return id;
    });
    expect(await units(personId)).toEqual([unitId]);
    const { rows } = await db.pool.query("select grant_id from grants where person_id = $1", [personId]);
    await expect(inWork((work) => revokeGrant(work, { grantId: rows[0].grant_id, reason: "no" }))).rejects.toMatchObject({
      code: "conflict",
    });
    await inWork((work) =>
      createRule(work, {
        name: unique("rule"),
        condition: `person.userType == '${kind}' && person.profile.nothing.there == 'x'`,
        role: "visitor",
        unit: code,
      }),
    );
    expect((await db.pool.query("select from rule_matches where person_id = $1 and valid_to is null", [personId])).rowCount).toBe(1);
  });
});

describe("saving", () => {
  test.each([
    [{ name: "x", role: "visitor", unit: "u" }, /rule\.group: a rule has either a group or a condition/],
    [{ name: "x", group: "g", condition: "true", role: "visitor", unit: "u" }, /either a group or a condition/],
    [
      { name: "x", condition: "person.nickname == ''", role: "visitor", unit: "u" },
      /rule\.condition: at position 8: No such key: nickname/,
    ],
    [{ name: "x", condition: "person.title", role: "visitor", unit: "u" }, /expected bool/],
    [{ name: "x", group: "g", role: "nobody", unit: "u" }, /no role with the key nobody/],
    [{ name: "x", group: "g", role: "visitor", unit: "u", expiresAt: "tomorrow" }, /rule\.expiresAt: must be an instant/],
  ])("a bad rule is refused with field and reason: %#", async (input, message) => {
    await expect(inWork((work) => createRule(work, input))).rejects.toThrow(message);
  });

  test("a file is loaded by name, all or none, and again without effect", async () => {
    const [one, two] = [unique("one"), unique("two")];
    const file = (unit: string) =>
      `rules:\n  - { name: ${one}, group: Guests, role: visitor, unit: ${unit} }\n  - { name: ${two}, condition: "person.title == 'Guest'", role: visitor, unit: lobby, expiresAfterSeconds: 60 }\n`;
    expect(await inWork((work) => loadRulesFile(work, file("lobby")))).toEqual({ created: 2, updated: 0, unchanged: 0 });
    expect(await inWork((work) => loadRulesFile(work, file("lobby")))).toEqual({ created: 0, updated: 0, unchanged: 2 });
    expect(await inWork((work) => loadRulesFile(work, file("hall")))).toEqual({ created: 0, updated: 1, unchanged: 1 });
    await expect(
      inWork((work) => loadRulesFile(work, `${file("roof")}  - { name: bad, condition: "1", role: visitor, unit: u }\n`)),
    ).rejects.toThrow("rules.2.condition");
    expect((await listRules(db.pool, { at: clock.now() })).find((rule) => rule.name === one)).toMatchObject({
      unit: "hall",
      version: 2,
      grants: 0,
    });
  });
});
