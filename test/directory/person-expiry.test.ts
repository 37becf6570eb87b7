import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { nextBoundary } from "../../src/access/boundaries.ts";
import { checkAccess } from "../../src/access/effective.ts";
import { carryOutExpiry } from "../../src/access/expiry.ts";
import { giveGrant } from "../../src/access/grants.ts";
import { createRole } from "../../src/access/roles.ts";
import { createRule, deleteRule } from "../../src/access/rules.ts";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { raiseBlocks } from "../../src/directory/blocks.ts";
import { personExpiry, setPersonExpiry } from "../../src/directory/person-expiry.ts";
import { createUnit } from "../../src/directory/units.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { DAY_ONE, HOUR, insertPerson, later, standingClock } from "./fixtures.ts";

const PERMISSION = "test.gate.open";
let db: TestDatabase;
let unitId = "";
const clock = standingClock();
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: clock.now }), flow);
const set = (personId: string, until: Date | null, reason = "contract") =>
  inWork((work) => setPersonExpiry(work, { personId, until, reason }));
const carryOut = () => inWork(carryOutExpiry);
const has = (personId: string, at = clock.now()) => checkAccess(db.pool, { personId, permission: PERMISSION, unitId, at });
const stateOf = async (id: string) =>
  (await db.pool.query<{ state: string }>("select state from people where id = $1", [id])).rows[0]?.state;

async function contractor(): Promise<string> {
  const personId = await insertPerson(db.pool, { at: DAY_ONE });
  await inWork((work) => giveGrant(work, { personId, role: "seasonal", unit: "farm", reason: "season" }));
  return personId;
}

beforeAll(async () => {
  db = await testDatabase();
  await db.pool.query("insert into permissions (key, module, resource, action) values ($1, 'test', 'gate', 'open')", [PERMISSION]);
  await inWork((work) => createRole(work, { key: "seasonal", name: "Seasonal", permissions: [PERMISSION] }));
  unitId = await inWork((work) => createUnit(work, { name: "Farm", code: "farm" }));
});
afterAll(() => db.drop());
beforeEach(async () => {
  clock.set(DAY_ONE);
  await db.pool.query("truncate watermarks, person_expiries; delete from graphile_worker._private_jobs");
});

test("A7, A5: at every instant, whatever was set and however late jobs are, access is there exactly while the person's time lasts", async () => {
  const step = fc.record({
    after: fc.integer({ min: 1, max: 3 * HOUR }),
    act: fc.oneof(fc.constant("job" as const), fc.option(fc.integer({ min: -HOUR, max: 4 * HOUR }), { nil: null })),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
      clock.set(DAY_ONE);
      await db.pool.query("truncate watermarks");
      const personId = await contractor();
      let until = Infinity;
      for (const { after, act } of steps) {
        const next = clock.now().getTime() + after;
        for (const instant of [until - 1, until, until + 1].filter((at) => at > clock.now().getTime() && at < next)) {
          clock.set(new Date(instant));
          expect([instant - until, await has(personId)]).toEqual([instant - until, instant < until]);
        }
        clock.set(new Date(next));
        if (act === "job") await carryOut();
        else {
          await set(personId, act === null ? null : later(act, clock.now()));
          until = act === null ? Infinity : next + Math.max(act, 0);
        }
        const out = next >= until;
        expect([after, await has(personId)]).toEqual([after, !out]);
        // The state follows with the job, and with whatever is said about the end.
        if (act === "job" || !out) expect(await stateOf(personId)).toBe(out ? "suspended" : "active");
      }
      await carryOut();
      expect(await stateOf(personId)).toBe(clock.now().getTime() >= until ? "suspended" : "active");
    }),
    { numRuns: 25 },
  );
});

describe("A7: a person's access ends at its time", () => {
  test("the end is the job's next boundary; carried out once, with its reason; a renewal brings back access, not other blocks", async () => {
    const personId = await contractor();
    await set(personId, later(HOUR), "season over");
    expect(await personExpiry(db.pool, personId)).toEqual(later(HOUR));
    expect(await nextBoundary(db.pool, clock.now())).toEqual(later(HOUR));
    const { rows: jobs } = await db.pool.query("select run_at from graphile_worker.jobs where task_identifier = 'expire'");
    expect(jobs).toEqual([{ run_at: later(HOUR) }]);
    clock.set(later(2 * HOUR));
    await Promise.all([carryOut(), carryOut()]);
    await carryOut();
    await inWork((work) => raiseBlocks(work, [{ personId, owner: "admin", effect: "suspended", reason: "badge lost" }]));
    await set(personId, null, "another season");
    expect(await stateOf(personId)).toBe("suspended");
    const { rows: events } = await db.pool.query("select name, reason, data from audit_events where subject_id = $1 order by id", [
      personId,
    ]);
    expect(events).toEqual([
      { name: "person.expiry_set", reason: "season over", data: { until: later(HOUR).toISOString() } },
      { name: "person.suspended", reason: "season over", data: { owner: "expiry" } },
      { name: "block.raised", reason: "badge lost", data: { owner: "admin", effect: "suspended" } },
      { name: "person.expiry_set", reason: "another season", data: { until: null } },
      { name: "block.lifted", reason: "another season", data: { owner: "expiry" } },
    ]);
  });

  test("what was so stays known: out between end and renewal, in before and after", async () => {
    const personId = await contractor();
    await set(personId, later(HOUR));
    clock.set(later(3 * HOUR));
    await set(personId, null);
    expect(await Promise.all([0.5, 1, 2.9, 3].map((hours) => has(personId, later(hours * HOUR))))).toEqual([true, false, false, true]);
  });

  test("rules that ask who is active are asked again at that very time", async () => {
    const personId = await insertPerson(db.pool, { at: DAY_ONE });
    await inWork((work) => createRule(work, { name: "Working", condition: "person.active", role: "seasonal", unit: "farm" }));
    const given = async () =>
      (
        await db.pool.query(
          "select from grants where person_id = $1 and rule_id is not null and recorded_to is null and valid_to is null",
          [personId],
        )
      ).rowCount;
    expect(await given()).toBe(1);
    await set(personId, later(HOUR));
    clock.set(later(HOUR));
    await carryOut();
    expect(await given()).toBe(0);
    await inWork((work) => deleteRule(work, { name: "Working" }));
  });

  test("who is deleted meanwhile is passed over, and keeps nobody else from being carried out", async () => {
    const [gone, other] = [await contractor(), await contractor()];
    await set(gone, later(HOUR));
    await set(other, later(HOUR));
    await db.pool.query("update people set state = 'deleted', active = false where id = $1", [gone]);
    clock.set(later(HOUR));
    await carryOut();
    expect([await stateOf(gone), await stateOf(other)]).toEqual(["deleted", "suspended"]);
  });
});
