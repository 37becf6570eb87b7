import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { effectiveAccess } from "../../src/access/effective.ts";
import { explainAccess } from "../../src/access/explain.ts";
import { listHeldAccess, listHeldRoles } from "../../src/access/history.ts";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { DAY_ONE, HOUR, standingClock } from "../directory/fixtures.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { assertUntilSeen } from "../helpers/until-seen.ts";
import { whileTimeLasts } from "../helpers/while-time-lasts.ts";
import { found, heldBy, PEOPLE, PERMISSIONS, steps, take, UNITS, type Model, type Organisation, type Step } from "./organisation.ts";

let db: TestDatabase;
const clock = standingClock();
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: clock.now }), flow);
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db?.drop());

interface Moment {
  at: Date;
  knownAt: Date;
}

/** Everything that was so of everybody, as it was known then: what they held, by what, and why. */
async function past(organisation: Organisation, moments: readonly Moment[]): Promise<unknown[]> {
  const answers: unknown[] = [];
  for (const moment of moments)
    for (const personId of organisation.people) {
      const question = { personId, ...moment };
      answers.push(await listHeldAccess(db.pool, { ...question, limit: 1000 }));
      answers.push(await listHeldRoles(db.pool, { ...question, limit: 1000 }));
      const asked = { ...question, permission: PERMISSIONS[0] ?? "", unitId: organisation.units[1] ?? "", otherWays: false };
      const { allowed, blockedBy, derivations, removals } = await explainAccess(db.pool, asked);
      answers.push({ allowed, blockedBy: blockedBy.map(({ kind, what }) => [kind, what]), derivations, removals });
    }
  return answers;
}

async function takeAll(organisation: Organisation, actions: readonly Step[]): Promise<void> {
  for (const action of actions) {
    clock.forward(action.hours * HOUR);
    await inWork((work) => take(work, organisation, action));
  }
}

const places = fc.array(fc.tuple(fc.nat(40), fc.nat(40)), { minLength: 2, maxLength: 5 });

test("B5: the past never changes when the present does: what was known at an instant of an instant is told the same for ever", async () => {
  let held = 0;
  await assertUntilSeen(
    fc.asyncProperty(
      steps,
      steps,
      places,
      whileTimeLasts(
        async (first, then, halfHours) => {
          clock.set(DAY_ONE);
          const organisation = await inWork(found);
          await takeAll(organisation, first);
          const now = clock.now().getTime();
          const instant = (half: number) => new Date(Math.min(DAY_ONE.getTime() + (half * HOUR) / 2, now));
          const moments = halfHours.map(([at, known]) => ({ at: instant(at), knownAt: instant(known) }));
          // What happens at the very instant of the question is a part of it.
          clock.forward(1);
          const before = await past(organisation, moments);
          await takeAll(organisation, then);
          expect(await past(organisation, moments)).toEqual(before);
          held += before.flat().length;
        },
        { enough: () => held > 0 },
      ),
    ),
    { numRuns: 10, seen: () => held },
  );
});

test("A4, A5, B5: pages of held access are the naive recomputation, in the past and as it was known, and both lists and effective access agree", async () => {
  await fc.assert(
    fc.asyncProperty(
      steps,
      places,
      whileTimeLasts(async (actions, halfHours) => {
        clock.set(DAY_ONE);
        const organisation = await inWork(found);
        const history: { at: number; model: Model }[] = [{ at: DAY_ONE.getTime(), model: structuredClone(organisation.model) }];
        for (const action of actions) {
          await takeAll(organisation, [action]);
          history.push({ at: clock.now().getTime(), model: structuredClone(organisation.model) });
        }
        const now = clock.now().getTime();
        for (const [half, known] of halfHours) {
          const [at, knownAt] = [half, known].map((each) => Math.min(DAY_ONE.getTime() + (each * HOUR) / 2, now)) as [number, number];
          const model = history.findLast((entry) => entry.at <= Math.min(at, knownAt))?.model ?? organisation.model;
          for (let person = 0; person < PEOPLE; person += 1) {
            const question = { personId: organisation.people[person] ?? "", at: new Date(at), knownAt: new Date(knownAt) };
            const listed = await paged(question);
            expect(listed.map(({ unitId, permission }) => `${organisation.units.indexOf(unitId)} ${permission}`).sort()).toEqual(
              [...heldBy(model, person, at)].sort(),
            );
            const rows = await effectiveAccess(db.pool, question);
            expect(listed.reduce((sum, { derivations }) => sum + derivations, 0)).toBe(rows.length);
            const roles = await listHeldRoles(db.pool, { ...question, limit: 1000 });
            expect(new Set(roles.map(({ grantId, groupId }) => `${grantId} ${groupId}`))).toEqual(
              new Set(rows.map(({ grantId, groupId }) => `${grantId} ${groupId}`)),
            );
          }
        }
      }),
    ),
    { numRuns: 10 },
  );
});

async function paged(question: { personId: string; at: Date; knownAt: Date }) {
  const all = [];
  for (let after: [string, string] | undefined; ;) {
    const page = await listHeldAccess(db.pool, { ...question, limit: 4, after });
    all.push(...page);
    const last = page.at(-1);
    if (!last || page.length < 4) return all;
    expect(all.length).toBeLessThanOrEqual(UNITS * PERMISSIONS.length);
    after = [last.permission, last.unitId];
  }
}
