import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { checkAccess } from "../../src/access/effective.ts";
import { carryOutExpiry } from "../../src/access/expiry.ts";
import { nextBoundary } from "../../src/access/boundaries.ts";
import { giveGrant } from "../../src/access/grants.ts";
import { createRole } from "../../src/access/roles.ts";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { liftBlocks, raiseBlocks } from "../../src/directory/blocks.ts";
import { setEmployment } from "../../src/directory/employment.ts";
import type { EmploymentPeriod } from "../../src/directory/employment-period.ts";
import { setPersonExpiry } from "../../src/directory/person-expiry.ts";
import { createUnit } from "../../src/directory/units.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { HOUR, insertConnection, insertGroup, insertMembership, insertPerson, later, standingClock } from "./fixtures.ts";

let db: TestDatabase;
let unitId: string;
let groupId: string;
let hr: number;
const clock = standingClock();
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: clock.now }), flow);
const PERMISSION = "test.door.open";

beforeAll(async () => {
  db = await testDatabase();
  await db.pool.query("insert into permissions (key, module, resource, action) values ($1, 'test', 'door', 'open')", [PERMISSION]);
  await inWork((work) => createRole(work, { key: "doors", name: "Doors", permissions: [PERMISSION] }));
  unitId = await inWork((work) => createUnit(work, { name: "Lobby", code: "lobby" }));
  groupId = await insertGroup(db.pool);
  hr = await insertConnection(db.pool, { name: "hr" });
  await inWork((work) => giveGrant(work, { groupId, role: "doors", unit: "lobby", reason: "all of them" }));
});
afterAll(() => db.drop());

/** Through a group, so that no grant of their own ends with them. */
async function member(): Promise<string> {
  const personId = await insertPerson(db.pool, { at: clock.now() });
  await insertMembership(db.pool, { groupId, personId, from: clock.now() });
  return personId;
}
const employ = (personId: string, period: EmploymentPeriod | null) =>
  inWork((work) => setEmployment(work, [{ personId, connectionId: hr, period }]));
const mayOpen = (personId: string, at: Date) => checkAccess(db.pool, { personId, permission: PERMISSION, unitId, at });
const stateOf = async (personId: string) => (await db.pool.query("select state, active from people where id = $1", [personId])).rows[0];
const within = ({ from, to }: EmploymentPeriod, at: Date) =>
  (from === null || from <= at) && (to === null || at < to) && (from === null || to === null || from < to);

describe("when somebody is employed", () => {
  test("P5, A5: whatever dates are said, and however late the job is: nobody has access outside them, and all have it within once it came", async () => {
    const hour = fc.option(fc.integer({ min: -50, max: 150 }), { nil: null });
    const step = fc.record({
      forward: fc.integer({ min: 0, max: 60 }),
      said: fc.option(fc.record({ from: hour, to: hour }), { nil: undefined }),
      job: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        const personId = await member();
        let believed: EmploymentPeriod = { from: null, to: null };
        const lived: { at: Date; within: boolean }[] = [];
        for (const { forward, said, job } of steps) {
          clock.forward(forward * HOUR + 1);
          if (said) {
            const at = (hours: number | null) => (hours === null ? null : later(hours * HOUR, clock.now()));
            believed = { from: at(said.from), to: at(said.to) };
            await employ(personId, believed);
          }
          if (!within(believed, clock.now())) expect(await mayOpen(personId, clock.now())).toBe(false);
          if (job) {
            await inWork(carryOutExpiry);
            expect(await mayOpen(personId, clock.now())).toBe(within(believed, clock.now()));
            expect((await stateOf(personId)).active).toBe(within(believed, clock.now()));
          }
          // An end that is known is refused ahead of its time, too.
          for (const hours of [1, 20, 100, 400]) {
            const ahead = later(hours * HOUR, clock.now());
            if (!within(believed, ahead)) expect(await mayOpen(personId, ahead)).toBe(false);
          }
          lived.push({ at: clock.now(), within: within(believed, clock.now()) });
          clock.forward(1);
        }
        // What is said later does not change what was: access that was refused then was refused.
        for (const { at, within: was } of lived) if (!was) expect(await mayOpen(personId, at)).toBe(false);
      }),
      { numRuns: 25 },
    );
  });

  test("P5: employed again lifts what the dates raised and nothing else; said twice changes nothing", async () => {
    const personId = await member();
    await inWork((work) => raiseBlocks(work, [{ personId, owner: "origin", connectionId: hr, effect: "suspended", reason: "on leave" }]));
    const ended = { from: null, to: later(-HOUR, clock.now()) };
    await employ(personId, ended);
    const before = await stateOf(personId);
    expect(before).toEqual({ state: "deactivated", active: false });
    const count = async () =>
      (
        await db.pool.query(
          "select (select count(*) from employment_absences) as absences, (select count(*) from blocks) as blocks, (select count(*) from audit_events) as events",
        )
      ).rows[0];
    const counted = await count();
    await employ(personId, ended);
    expect(await count()).toEqual(counted);
    await employ(personId, null);
    expect(await stateOf(personId)).toEqual({ state: "suspended", active: false });
    await inWork((work) => liftBlocks(work, [{ personId, owner: "origin", connectionId: hr }]));
    expect(await stateOf(personId)).toEqual({ state: "active", active: true });
  });

  test("A5: the next beginning and the next end wake the job, whoever set them", async () => {
    const personId = await member();
    const period = { from: later(1000 * HOUR, clock.now()), to: later(2000 * HOUR, clock.now()) };
    expect(await employ(personId, period)).toEqual(period.from);
    expect(await nextBoundary(db.pool, later(999 * HOUR, clock.now()))).toEqual(period.from);
    expect(await nextBoundary(db.pool, period.from)).toEqual(period.to);
  });

  test("a job that comes while a run believes other dates carries out those, and not the ones before", async () => {
    const [stays, renewed] = [await member(), await member()];
    await employ(stays, { from: null, to: later(HOUR, clock.now()) });
    await inWork((work) => setPersonExpiry(work, { personId: renewed, until: later(HOUR, clock.now()), reason: "contract" }));
    clock.forward(2 * HOUR);
    let job: Promise<unknown> = Promise.resolve();
    await inWork(async (work) => {
      await setEmployment(work, [{ personId: stays, connectionId: hr, period: null }]);
      await setPersonExpiry(work, { personId: renewed, until: null, reason: "prolonged" });
      job = inWork(carryOutExpiry);
      const waits = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
      while ((await db.pool.query(waits)).rowCount === 0) await setTimeout(20);
    });
    await job;
    expect(await stateOf(stays)).toEqual({ state: "active", active: true });
    expect(await stateOf(renewed)).toEqual({ state: "active", active: true });
  });

  test("somebody whom nobody knows is passed over", async () => {
    await employ(randomUUID(), { from: null, to: later(-HOUR, clock.now()) });
    await inWork(carryOutExpiry);
    expect((await db.pool.query("select from blocks b where not exists (select from people where id = b.person_id)")).rowCount).toBe(0);
  });
});
