import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { accessOnUnit, checkAccess, effectiveAccess } from "../../src/access/effective.ts";
import { loadPersonFacts } from "../../src/access/facts.ts";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { DAY_ONE, HOUR, standingClock } from "../directory/fixtures.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { whileTimeLasts } from "../helpers/while-time-lasts.ts";
import {
  below,
  boundaries,
  found,
  heldBy,
  PEOPLE,
  PERMISSIONS,
  steps,
  take,
  UNITS,
  type Model,
  type Organisation,
  type Step,
} from "./organisation.ts";

let db: TestDatabase;
const clock = standingClock();
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: clock.now }), flow);
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

async function answer(organisation: Organisation, person: number, at: number, knownAt?: number): Promise<string[]> {
  const rows = await effectiveAccess(db.pool, {
    personId: organisation.people[person] ?? "",
    at: new Date(at),
    knownAt: knownAt === undefined ? undefined : new Date(knownAt),
  });
  return [...new Set(rows.map((row) => `${organisation.units.indexOf(row.unitId)} ${row.permission}`))].sort();
}

test("A4, A5, A6, B5: effective access equals a naive model over random organisations, now, in the past, ahead, and as it was known", async () => {
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.array(fc.tuple(fc.nat(60), fc.nat(60)), { minLength: 1, maxLength: 3 }),
      whileTimeLasts(async (actions, questions) => {
        clock.set(DAY_ONE);
        const organisation = await inWork(found);
        const history: { at: number; model: Model }[] = [{ at: DAY_ONE.getTime(), model: structuredClone(organisation.model) }];
        for (const action of actions) {
          clock.forward(action.hours * HOUR);
          await inWork((work) => take(work, organisation, action));
          history.push({ at: clock.now().getTime(), model: structuredClone(organisation.model) });
        }
        const now = clock.now().getTime();
        const modelAt = (at: number): Model => history.findLast((entry) => entry.at <= at)?.model ?? organisation.model;
        for (const at of boundaries(organisation.model)) {
          expect([at, await answer(organisation, 0, at)]).toEqual([at, [...heldBy(modelAt(Math.min(at, now)), 0, at)].sort()]);
        }
        for (let person = 0; person < PEOPLE; person += 1) {
          expect(await answer(organisation, person, now)).toEqual([...heldBy(organisation.model, person, now)].sort());
        }
        for (const [halfHours, knownHalfHours] of [[0, 0] as [number, number], ...questions]) {
          const at = Math.min(DAY_ONE.getTime() + (halfHours * HOUR) / 2, now + 5 * HOUR);
          const knownAt = Math.min(DAY_ONE.getTime() + (knownHalfHours * HOUR) / 2, now);
          for (let person = 0; person < PEOPLE; person += 1) {
            expect(await answer(organisation, person, at)).toEqual([...heldBy(modelAt(Math.min(at, now)), person, at)].sort());
            expect(await answer(organisation, person, at, knownAt)).toEqual([...heldBy(modelAt(Math.min(at, knownAt)), person, at)].sort());
          }
          const held = heldBy(modelAt(Math.min(at, now)), 0, at);
          for (let unit = 0; unit < UNITS; unit += 1) {
            const question = { personId: organisation.people[0] ?? "", unitId: organisation.units[unit] ?? "", at: new Date(at) };
            const rows = await accessOnUnit(db.pool, question);
            expect([...new Set(rows.map((row) => row.permission))].sort()).toEqual(
              PERMISSIONS.filter((permission) => held.has(`${unit} ${permission}`)).sort(),
            );
          }
        }
      }),
    ),
    { numRuns: 15 },
  );
});

test("A4: a grant covers its unit and every unit below it, never above or beside, wherever it is given", async () => {
  clock.set(DAY_ONE);
  await fc.assert(
    fc.asyncProperty(fc.nat(UNITS - 1), async (unit) => {
      const organisation = await inWork(found);
      await inWork((work) =>
        take(work, organisation, { hours: 0, do: "give", person: 0, group: 0, role: 0, unit, after: 0, lasts: null, seconds: null }),
      );
      for (let other = 0; other < UNITS; other += 1) {
        const question = {
          personId: organisation.people[0] ?? "",
          unitId: organisation.units[other] ?? "",
          at: clock.now(),
          permission: PERMISSIONS[0] ?? "",
        };
        expect(await checkAccess(db.pool, question)).toBe(below(organisation.model, unit).includes(other));
        expect(await checkAccess(db.pool, { ...question, permission: PERMISSIONS[1] ?? "" })).toBe(false);
      }
    }),
    { numRuns: 8 },
  );
});

test("A5: a membership that another source asserts again does not set the member's clock back", async () => {
  clock.set(DAY_ONE);
  const organisation = await inWork(found);
  await inWork((work) => take(work, organisation, { hours: 0, do: "member", a: 0, b: 0, on: true }));
  await inWork((work) =>
    take(work, organisation, { hours: 0, do: "give", person: null, group: 0, role: 0, unit: 0, after: 0, lasts: null, seconds: 7200 }),
  );
  clock.forward(HOUR);
  await db.pool.query(
    "insert into memberships (group_id, person_id, connection_id, valid_from, recorded_from) values ($1, $2, 7, $3, $3)",
    [organisation.groups[0], organisation.people[0], clock.now()],
  );
  expect((await answer(organisation, 0, clock.now().getTime())).length).toBe(UNITS);
  const [row] = await effectiveAccess(db.pool, { personId: organisation.people[0] ?? "", at: clock.now() });
  expect(row).toMatchObject({
    memberSince: DAY_ONE,
    endsAt: new Date(DAY_ONE.getTime() + 2 * HOUR),
    groupId: organisation.groups[0],
    memberGroupId: organisation.groups[0],
  });
  expect(await answer(organisation, 0, DAY_ONE.getTime() + 2 * HOUR - 1)).not.toEqual([]);
  expect(await answer(organisation, 0, DAY_ONE.getTime() + 2 * HOUR)).toEqual([]);
});

test("A5: hanging a group elsewhere or in a circle gives nobody more time", async () => {
  clock.set(DAY_ONE);
  const organisation = await inWork(found);
  const history: Step[] = [
    { hours: 0, do: "member", a: 0, b: 0, on: true },
    { hours: 0, do: "nest", a: 0, b: 1, on: true },
    { hours: 0, do: "give", person: null, group: 1, role: 0, unit: 0, after: 0, lasts: null, seconds: 7200 },
    { hours: 1, do: "nest", a: 1, b: 0, on: true },
    { hours: 0, do: "nest", a: 0, b: 1, on: false },
    { hours: 0, do: "nest", a: 0, b: 2, on: true },
    { hours: 0, do: "nest", a: 2, b: 1, on: true },
  ];
  for (const action of history) {
    clock.forward(action.hours * HOUR);
    await inWork((work) => take(work, organisation, action));
  }
  const [personId = ""] = organisation.people;
  const rolesAt = async (at: Date) => (await loadPersonFacts(db.pool, { personIds: [personId], at })).flatMap((facts) => facts.roles ?? []);
  const [before, end] = [new Date(DAY_ONE.getTime() + 2 * HOUR - 1), new Date(DAY_ONE.getTime() + 2 * HOUR)];
  expect([(await answer(organisation, 0, before.getTime())).length, await answer(organisation, 0, end.getTime())]).toEqual([UNITS, []]);
  expect([(await rolesAt(before)).length, await rolesAt(end)]).toEqual([1, []]);
});
