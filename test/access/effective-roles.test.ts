import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { effectiveAccess } from "../../src/access/effective.ts";
import { heldRolesSql } from "../../src/access/effective-roles.ts";
import { permissionsOf } from "../../src/access/roles.ts";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { DAY_ONE, HOUR, standingClock } from "../directory/fixtures.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { boundaries, found, PEOPLE, steps, take } from "./organisation.ts";

let db: TestDatabase;
const clock = standingClock();
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: clock.now }), flow);
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

/** Roles that permit something, on the units that they were given on. */
async function held(personId: string, at: Date): Promise<string[]> {
  const { rows } = await db.pool.query<{ role_id: string; unit_id: string }>(heldRolesSql({ person: "$1::uuid", at: "$2::timestamptz" }), [
    personId,
    at,
  ]);
  const permitting = await Promise.all(
    rows.map(async (row) => ((await permissionsOf(db.pool, row.role_id)).length ? [`${row.role_id} ${row.unit_id}`] : [])),
  );
  return permitting.flat().sort();
}

test("A4: the roles that a person is told to hold are those that effective access follows from, at every boundary", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (actions) => {
      clock.set(DAY_ONE);
      const organisation = await inWork(found);
      for (const action of actions) {
        clock.forward(action.hours * HOUR);
        await inWork((work) => take(work, organisation, action));
      }
      const now = clock.now();
      for (const at of [now, ...boundaries(organisation.model).map((instant) => new Date(instant))].filter((instant) => instant >= now)) {
        for (let person = 0; person < PEOPLE; person += 1) {
          const personId = organisation.people[person] ?? "";
          const derived = await effectiveAccess(db.pool, { personId, at });
          const expected = [...new Set(derived.map(({ roleId, grantedUnitId }) => `${roleId} ${grantedUnitId}`))].sort();
          expect([at, await held(personId, at)]).toEqual([at, expected]);
        }
      }
    }),
    { numRuns: 15 },
  );
});
