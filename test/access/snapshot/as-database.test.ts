import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { checkAccess, effectiveAccess } from "../../../src/access/effective.ts";
import type { OwnPermission } from "../../../src/access/own-permissions.ts";
import { reaches, reachesAnything, reachOf, type Caller } from "../../../src/access/policy.ts";
import { answerAll, type Answer, type Question } from "../../../src/access/snapshot/answer.ts";
import { heldBy } from "../../../src/access/snapshot/held.ts";
import { createAccessSnapshot, type AccessSnapshot } from "../../../src/access/snapshot/snapshot.ts";
import { inTransaction, type Work } from "../../../src/db/database.ts";
import { setPersonExpiry } from "../../../src/directory/person-expiry.ts";
import { DAY_ONE, HOUR, later, standingClock } from "../../directory/fixtures.ts";
import { silentLog, testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { whileTimeLasts } from "../../helpers/while-time-lasts.ts";
import { boundaries, found, PERMISSIONS, steps, take, type Organisation } from "../organisation.ts";
import { patient } from "./patient.ts";

let db: TestDatabase;
const clock = standingClock();
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: clock.now }), flow);
const ended = new AbortController();
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(async () => {
  ended.abort();
  await db.drop();
});

const allowed = (answer: Answer) => "allowed" in answer && answer.allowed;

/** Every question that there is about an organisation, and the answers of the snapshot at an instant. */
async function asked(snapshot: AccessSnapshot, organisation: Organisation, at: Date): Promise<{ question: Question; answer: Answer }[]> {
  const view = await snapshot.ready();
  const questions = organisation.people.flatMap((person) =>
    organisation.units.flatMap((unit) => PERMISSIONS.map((permission) => ({ person, permission, unit }))),
  );
  const answers = answerAll(view, questions, { at, within: null });
  return questions.map((question, index) => ({ question, answer: answers[index] ?? { allowed: false } }));
}

async function expectSame(snapshot: AccessSnapshot, organisation: Organisation, at: Date): Promise<void> {
  const derived = await Promise.all(organisation.people.map((personId) => effectiveAccess(db.pool, { personId, at })));
  const expected = derived.flatMap((rows, person) =>
    rows.map(({ permission, unitId }) => `${organisation.people[person] ?? ""} ${permission} ${unitId}`),
  );
  const held = (await asked(snapshot, organisation, at)).filter(({ answer }) => allowed(answer));
  expect([at, held.map(({ question: { person, permission, unit } }) => `${person} ${permission} ${unit}`).sort()]).toEqual([
    at,
    [...new Set(expected)].sort(),
  ]);
}

/** Where people, and services that they answer for, hold a permission, narrowed to one unit or not: in memory and as the doors ask for it. */
async function expectSameCallers(snapshot: AccessSnapshot, organisation: Organisation): Promise<void> {
  const [view, at, [permission]] = [await snapshot.ready(), clock.now(), PERMISSIONS as unknown as OwnPermission[]];
  if (permission === undefined) throw new Error("there are no permissions");
  for (const person of organisation.people)
    for (const unitIds of [null, [], ...organisation.units.map((unit) => [unit])])
      for (const service of [true, false]) {
        const who = service ? { personId: null, responsibleId: person } : { personId: person };
        const caller: Caller = { actor: "token:test", credential: "token:test", permissions: null, unitIds, ...who };
        const reach = await reachOf(db.pool, { caller, permission, at });
        const held = heldBy(view, { caller, permission, at });
        const reached = await Promise.all(organisation.units.map((unitId) => reaches(db.pool, { reach, thing: { unitId } })));
        const numbers = organisation.units.map((unit) => view.tables.units.numbering.find(unit) ?? -1);
        expect([held.anywhere, held.everything, numbers.map(held.on)]).toEqual([reachesAnything(reach), reach.everything, reached]);
      }
}

/** What may befall the own time of somebody: an end that is set or taken back, an absence from one instant to another, or nothing. */
const ownTime = fc.option(
  fc.record({
    person: fc.nat(2),
    kind: fc.constantFrom("end", "no end", "absence"),
    from: fc.nat(8),
    lasts: fc.option(fc.integer({ min: 1, max: 4 })),
  }),
  { freq: 2 },
);

type OwnTime = typeof ownTime extends fc.Arbitrary<infer T> ? T : never;

async function changeOwnTime(work: Work, { organisation, time }: { organisation: Organisation; time: OwnTime }): Promise<void> {
  if (time === null) return;
  const personId = organisation.people[time.person] ?? "";
  const from = new Date(clock.now().getTime() + (time.from * HOUR) / 2);
  if (time.kind !== "absence") {
    await setPersonExpiry(work, { personId, until: time.kind === "end" ? from : null, reason: "test" });
    return;
  }
  await work.sql.query("delete from employment_absences where person_id = $1 and valid && tstzrange($2, $3)", [
    personId,
    from,
    time.lasts === null ? null : later(time.lasts * HOUR, from),
  ]);
  await work.sql.query(
    "insert into employment_absences (person_id, effect, valid_from, valid_to, recorded_from) values ($1, 'suspended', $2, $3, $4)",
    [personId, from, time.lasts === null ? null : later(time.lasts * HOUR, from), clock.now()],
  );
}

async function ownBoundaries({ people }: Organisation): Promise<number[]> {
  const { rows } = await db.pool.query<{ at: Date }>(
    `select valid_from as at from person_expiries where person_id = any($1) union select valid_from from employment_absences where person_id = any($1)
     union select valid_to from employment_absences where person_id = any($1) and valid_to is not null`,
    [people],
  );
  return rows.map(({ at }) => at.getTime());
}

test("A4, A5, A6: the snapshot answers as the database does, after every change that it is fed, now and at every instant ahead", async () => {
  const snapshot = patient(createAccessSnapshot({ db: { url: db.url, closing: ended.signal }, log: silentLog, now: clock.now }));
  const anew = () => snapshot.status().readAnew;
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.infiniteStream(fc.boolean()),
      fc.infiniteStream(ownTime),
      whileTimeLasts(
        async (actions, looks, times) => {
          clock.set(DAY_ONE);
          const organisation = await inWork(found);
          await snapshot.current();
          for (const action of actions) {
            clock.forward(action.hours * HOUR);
            await inWork((work) => take(work, organisation, action));
            await inWork((work) => changeOwnTime(work, { organisation, time: times.next().value }));
            if (looks.next().value !== true) continue;
            await snapshot.current();
            await expectSame(snapshot, organisation, clock.now());
            await expectSameCallers(snapshot, organisation);
          }
          await snapshot.current();
          const all = [...boundaries(organisation.model), ...(await ownBoundaries(organisation))];
          const ahead = all.filter((at) => at >= clock.now().getTime());
          for (const at of new Set([clock.now().getTime(), ...ahead, ...ahead.map((each) => each - 1)])) {
            if (at < clock.now().getTime()) continue;
            await expectSame(snapshot, organisation, new Date(at));
            for (const { question, answer } of await asked(snapshot, organisation, new Date(at))) {
              if (!("allowed" in answer) || !answer.allowed || answer.until === null) continue;
              const check = (instant: Date) =>
                checkAccess(db.pool, { personId: question.person, permission: question.permission, unitId: question.unit, at: instant });
              expect([answer.until, await check(later(-1, answer.until)), await check(answer.until)]).toEqual([answer.until, true, false]);
            }
          }
        },
        { enough: () => snapshot.status().changes > anew() * 5 },
      ),
    ),
    { numRuns: 12 },
  );
  // Only clocks that were set back made it read everything.
  expect(snapshot.status().changes).toBeGreaterThan(anew() * 5);
}, 240_000);
