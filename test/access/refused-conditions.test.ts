import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { evaluateConditionRules } from "../../src/access/condition-rules.ts";
import { effectiveAccess } from "../../src/access/effective.ts";
import { createRole } from "../../src/access/roles.ts";
import { listRulesPage } from "../../src/access/rule-list.ts";
import { createRule, deleteRule, listRules, loadRulesFile, updateRule } from "../../src/access/rules.ts";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { raiseBlocks } from "../../src/directory/blocks.ts";
import { createUnit } from "../../src/directory/units.ts";
import { HOUR, insertPerson, standingClock } from "../directory/fixtures.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

let db: TestDatabase;
const clock = standingClock();
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: clock.now }), flow);
const roleOf = { old: "visitor", well: "guest" };
beforeAll(async () => {
  db = await testDatabase();
  await db.pool.query("insert into permissions (key, module, resource, action) values ('test.door.view', 'test', 'door', 'view')");
  for (const key of Object.values(roleOf)) await inWork((work) => createRole(work, { key, name: key, permissions: ["test.door.view"] }));
  await inWork((work) => createUnit(work, { name: "Lobby", code: "lobby" }));
});
afterAll(() => db.drop());

const evaluate = (...personIds: string[]) => inWork((work) => evaluateConditionRules(work, { personIds }));
const roles = async (personId: string) =>
  new Set((await effectiveAccess(db.pool, { personId, at: clock.now() })).map(({ roleId }) => roleId)).size;
const employ = (userType: string) => insertPerson(db.pool, { userName: `u-${randomUUID()}`, attributes: { userType } });
const retype = (personId: string, userType: string) =>
  db.pool.query("update people set attributes = $2 where id = $1", [personId, { userType }]);

/** As an earlier version of this server took it. */
const REFUSED = 'person.userType.matches("((a{90}){90}){90}") || person.userType == "x"';

test("invariant 5: a rule that was saved and does not compile any more stops nobody's change: it keeps whom it has, gives nothing new, and says why", async () => {
  const rule = (name: keyof typeof roleOf) => ({ name, condition: 'person.userType == "x"', role: roleOf[name], unit: "lobby" });
  for (const name of ["old", "well"] as const) await inWork((work) => createRule(work, rule(name)));
  const [stays, leaves] = [await employ("x"), await employ("x")];
  await evaluate(stays, leaves);
  expect([await roles(stays), await roles(leaves)]).toEqual([2, 2]);
  await db.pool.query("update rules set condition = $1 where name = 'old'", [REFUSED]);
  clock.forward(HOUR);

  const joins = await employ("x");
  await retype(stays, "y");
  await inWork((work) => raiseBlocks(work, [{ personId: leaves, owner: "admin", effect: "deactivated", reason: "left" }]));
  await evaluate(joins, stays, leaves);
  // The other rule is followed by everybody; whoever has left keeps nothing of either.
  expect([await roles(joins), await roles(stays), await roles(leaves)]).toEqual([1, 1, 0]);
  const { rows: kept } = await db.pool.query<{ name: string; person_id: string }>(
    "select r.name, g.person_id from grants g join rules r on r.id = g.rule_id where g.recorded_to is null and g.valid_to is null",
  );
  expect(kept.map(({ name, person_id }) => `${name} ${person_id}`).sort()).toEqual([`old ${stays}`, `well ${joins}`].sort());

  const problems = [
    (await listRules(db.pool, { at: clock.now() })).map(({ name, problem }) => [name, problem]),
    (await listRulesPage(db.pool, { at: clock.now(), limit: 9 })).map(({ name, problem }) => [name, problem]),
  ];
  for (const told of problems)
    expect(told).toEqual([
      ["old", expect.stringMatching(/^rule old: the pattern .* repeats too much too often/)],
      ["well", null],
    ]);

  // Other rules are saved and deleted as ever, and written anew it is followed again.
  await inWork((work) => updateRule(work, { ...rule("well"), enabled: false }));
  await inWork((work) => updateRule(work, rule("old")));
  expect([await roles(joins), await roles(stays)]).toEqual([1, 0]);
  await db.pool.query("update rules set condition = $1 where name = 'old'", [REFUSED]);
  await inWork((work) => deleteRule(work, { name: "well" }));
  await inWork((work) => deleteRule(work, { name: "old" }));
  expect([await roles(joins), await roles(stays)]).toEqual([0, 0]);
});

test("M3: a rule that does not compile any more is switched off as it is, by file as well; to be switched on it has to compile", async () => {
  const rule = { name: "old", condition: 'person.userType == "x"', role: roleOf.old, unit: "lobby" };
  await inWork((work) => createRule(work, rule));
  const personId = await employ("x");
  await evaluate(personId);
  const refused = { ...rule, condition: REFUSED };
  const yaml = (enabled: boolean) => JSON.stringify({ rules: [{ ...refused, enabled }] });
  for (const off of [
    (work: Work) => updateRule(work, { ...refused, enabled: false }),
    (work: Work) => loadRulesFile(work, yaml(false)).then(() => undefined),
  ]) {
    await inWork((work) => updateRule(work, rule));
    expect(await roles(personId)).toBe(1);
    await db.pool.query("update rules set condition = $1 where name = 'old'", [REFUSED]);
    await expect(inWork((work) => updateRule(work, refused))).rejects.toMatchObject({ code: "invalid" });
    await expect(inWork((work) => loadRulesFile(work, yaml(true)))).rejects.toMatchObject({ code: "invalid" });
    await expect(inWork((work) => updateRule(work, { ...refused, condition: `${REFUSED} || true`, enabled: false }))).rejects.toMatchObject(
      {
        code: "invalid",
      },
    );
    await inWork(off);
    expect(await roles(personId)).toBe(0);
    expect(await listRules(db.pool, { at: clock.now() })).toMatchObject([{ name: "old", enabled: false, condition: REFUSED }]);
    await expect(inWork((work) => updateRule(work, refused))).rejects.toMatchObject({ code: "invalid" });
  }
  await expect(inWork((work) => createRule(work, { ...refused, name: "new", enabled: false }))).rejects.toMatchObject({ code: "invalid" });
});
