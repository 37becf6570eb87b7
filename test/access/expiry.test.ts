import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import { nextBoundary } from "../../src/access/boundaries.ts";
import { checkAccess } from "../../src/access/effective.ts";
import { carryOutExpiry } from "../../src/access/expiry.ts";
import { giveGrant, revokeGrant } from "../../src/access/grants.ts";
import { createRole } from "../../src/access/roles.ts";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { createUnit } from "../../src/directory/units.ts";
import {
  DAY_ONE,
  HOUR,
  insertConnection,
  insertGroup,
  insertMembership,
  insertNesting,
  insertPerson,
  later,
  standingClock,
} from "../directory/fixtures.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

const PERMISSION = "test.door.view";
let db: TestDatabase;
let unitId = "";
const clock = standingClock();
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: clock.now }), flow);
const carryOut = () => inWork(carryOutExpiry);
beforeAll(async () => {
  db = await testDatabase();
  await db.pool.query("insert into permissions (key, module, resource, action) values ($1, 'test', 'door', 'view')", [PERMISSION]);
  await inWork((work) => createRole(work, { key: "visitor", name: "Visitor", permissions: [PERMISSION] }));
  unitId = await inWork((work) => createUnit(work, { name: "Lobby", code: "lobby" }));
});
afterAll(() => db.drop());
beforeEach(async () => {
  clock.set(DAY_ONE);
  await db.pool.query(
    "truncate grants, memberships, nestings, watermarks, audit_events, projections, connections cascade; delete from graphile_worker._private_jobs",
  );
});

const has = (personId: string, at = clock.now()) => checkAccess(db.pool, { personId, permission: PERMISSION, unitId, at });
const events = async (name = "grant.%") =>
  (
    await db.pool.query("select name, subject_id, data from audit_events where name like $1 and name not in ('grant.given') order by id", [
      name,
    ])
  ).rows;
const jobs = async () =>
  (await db.pool.query("select key, run_at from graphile_worker.jobs where task_identifier = 'expire' order by run_at")).rows;
const dirty = async () =>
  (await db.pool.query("update projections set dirty_at = null where dirty_at is not null returning person_id")).rows
    .map((row) => row.person_id)
    .sort();

test("invariant 6: no grant outlives its expiry, however late jobs come, at every instant around the boundary, in any order", async () => {
  const givenTo = fc.record({
    holder: fc.constantFrom("person", "group", "nested"),
    startsAfter: fc.constantFrom(0, 1, 1800, 3600),
    lasts: fc.option(fc.integer({ min: 1, max: 7200 })),
    seconds: fc.option(fc.integer({ min: 1, max: 7200 })),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(givenTo, { minLength: 1, maxLength: 3 }),
      fc.array(fc.nat(9000), { maxLength: 4 }),
      async (grants, jobTimes) => {
        clock.set(DAY_ONE);
        await db.pool.query("truncate watermarks");
        const instants = new Set<number>(jobTimes.map((seconds) => seconds * 1000));
        const cases: { personId: string; from: number; until: number }[] = [];
        for (const { holder, startsAfter, lasts, seconds } of grants) {
          const personId = await insertPerson(db.pool);
          const [inner, outer] = [await insertGroup(db.pool), await insertGroup(db.pool)];
          await insertMembership(db.pool, { groupId: inner, personId });
          await insertNesting(db.pool, { parentId: outer, childId: inner });
          const from = later(startsAfter * 1000);
          const subject = holder === "person" ? { personId } : { groupId: holder === "group" ? inner : outer };
          await inWork((work) =>
            giveGrant(work, {
              ...subject,
              role: "visitor",
              unit: "lobby",
              from,
              until: lasts === null ? undefined : later(lasts * 1000, from),
              expiresAfterSeconds: seconds ?? undefined,
            }),
          );
          const own = seconds === null ? Infinity : seconds * 1000 + (holder === "person" ? startsAfter * 1000 : 0);
          const until = Math.min(lasts === null ? Infinity : (startsAfter + lasts) * 1000, own);
          cases.push({ personId, from: startsAfter * 1000, until });
          for (const at of [startsAfter * 1000, until])
            if (at !== Infinity) for (const instant of [at - 1, at, at + 1]) instants.add(Math.max(0, instant));
        }
        for (const instant of [...instants].sort((a, b) => a - b)) {
          clock.set(later(instant));
          if (jobTimes.includes(instant / 1000)) await carryOut();
          for (const { personId, from, until } of cases)
            expect([instant, await has(personId)]).toEqual([instant, instant >= from && instant < until]);
        }
      },
    ),
    { numRuns: 18 },
  );
});

test("A5: beginnings and ends are recorded once, targets are marked, and the next boundary is queued", async () => {
  await insertConnection(db.pool, { policy: { provision: { groups: [] } } });
  const [ada, bob, cy] = [await insertPerson(db.pool), await insertPerson(db.pool), await insertPerson(db.pool)];
  const group = await insertGroup(db.pool);
  await insertMembership(db.pool, { groupId: group, personId: bob });
  await insertMembership(db.pool, { groupId: group, personId: cy, from: later(HOUR) });
  const grant = await inWork((work) =>
    giveGrant(work, { personId: ada, role: "visitor", unit: "lobby", from: later(HOUR), until: later(3 * HOUR) }),
  );
  expect(await jobs()).toMatchObject([{ key: `expire:${later(HOUR).getTime() / 1000}`, run_at: later(HOUR) }]);
  await carryOut();
  const timed = await inWork((work) => giveGrant(work, { groupId: group, role: "visitor", unit: "lobby", expiresAfterSeconds: 2 * 3600 }));
  await dirty();
  clock.set(later(HOUR));
  expect(await carryOut()).toEqual({ started: 1, expired: 0, members: 0, next: later(2 * HOUR) });
  expect(await dirty()).toEqual([ada]);
  expect(await carryOut()).toEqual({ started: 0, expired: 0, members: 0, next: later(2 * HOUR) });
  clock.set(later(2 * HOUR));
  expect(await carryOut()).toEqual({ started: 0, expired: 0, members: 1, next: later(3 * HOUR) });
  expect(await dirty()).toEqual([bob]);
  clock.set(later(3 * HOUR));
  expect(await carryOut()).toEqual({ started: 0, expired: 1, members: 1, next: null });
  expect(await dirty()).toEqual([ada, cy].sort());
  expect((await events()).map((event) => [event.name, event.subject_id, event.data.members])).toEqual([
    ["grant.started", grant, undefined],
    ["grant.expired", timed, 1],
    ["grant.expired", grant, undefined],
    ["grant.expired", timed, 1],
  ]);
  expect((await jobs()).map((job) => job.run_at)).toEqual([later(HOUR), later(2 * HOUR), later(3 * HOUR)]);
});

test("invariant 6: a node that was down catches up; two nodes do it once", async () => {
  const people = await Promise.all(Array.from({ length: 5 }, () => insertPerson(db.pool)));
  for (const [index, personId] of people.entries())
    await inWork((work) => giveGrant(work, { personId, role: "visitor", unit: "lobby", until: later((index + 1) * HOUR) }));
  await carryOut();
  clock.set(later(100 * HOUR));
  for (const personId of people) expect(await has(personId)).toBe(false);
  const results = await Promise.all([carryOut(), carryOut(), carryOut()]);
  expect(results.map((result) => result.expired).sort()).toEqual([0, 0, 5]);
  expect((await events("grant.expired")).length).toBe(5);
});

test.each([
  { name: "by minutes, as clocks of nodes differ", ahead: HOUR / 15 },
  { name: "by a day", ahead: 24 * HOUR },
])("invariant 6: what ends or begins after a clock was ahead $name is carried out once it is set right", async ({ ahead }) => {
  await insertConnection(db.pool, { policy: { provision: { groups: [] } } });
  const [ada, bob, cy, dee] = [
    await insertPerson(db.pool),
    await insertPerson(db.pool),
    await insertPerson(db.pool),
    await insertPerson(db.pool),
  ];
  const group = await insertGroup(db.pool);
  await insertMembership(db.pool, { groupId: group, personId: cy });
  const give = (input: Omit<Parameters<typeof giveGrant>[1], "role" | "unit">) =>
    inWork((work) => giveGrant(work, { ...input, role: "visitor", unit: "lobby" }));
  const before = await give({ personId: dee, until: later(60_000) });
  clock.set(later(ahead));
  expect(await carryOut()).toMatchObject({ expired: 1 });
  clock.set(DAY_ONE);
  const ends = await give({ personId: ada, until: later(120_000) });
  const begins = await give({ personId: bob, from: later(120_000) });
  await give({ groupId: group, expiresAfterSeconds: 120 });
  await dirty();
  clock.set(later(120_000));
  expect(await has(ada)).toBe(false);
  expect(await has(bob)).toBe(true);
  await carryOut();
  expect(await dirty()).toEqual(expect.arrayContaining([ada, bob, cy]));
  await carryOut();
  clock.set(later(ahead + HOUR));
  await carryOut();
  expect((await events()).map((event) => [event.name, event.subject_id]).filter(([, id]) => id !== before)).toEqual(
    expect.arrayContaining([
      ["grant.started", begins],
      ["grant.expired", ends],
    ]),
  );
  expect((await events()).filter(({ subject_id: id }) => [begins, ends].includes(id)).length).toBe(2);
});

test("invariant 6: a node that is minutes ahead carries out what another gave for a time that its own clock has passed", async () => {
  await insertConnection(db.pool, { policy: { provision: { groups: [] } } });
  const ada = await insertPerson(db.pool);
  clock.set(later(240_000));
  await carryOut();
  clock.set(DAY_ONE);
  const grantId = await inWork((work) => giveGrant(work, { personId: ada, role: "visitor", unit: "lobby", until: later(120_000) }));
  await dirty();
  clock.set(later(120_000 + 240_000));
  expect(await carryOut()).toMatchObject({ expired: 1 });
  expect(await dirty()).toEqual([ada]);
  expect(await carryOut()).toMatchObject({ expired: 0 });
  expect((await events("grant.expired")).map((event) => event.subject_id)).toEqual([grantId]);
});

test("invariant 6: who was put out of a target by a clock that was ahead is looked at again once it is set right", async () => {
  await insertConnection(db.pool, { policy: { provision: { groups: [] } } });
  const ada = await insertPerson(db.pool);
  await inWork((work) => giveGrant(work, { personId: ada, role: "visitor", unit: "lobby", until: later(5 * HOUR) }));
  clock.set(later(24 * HOUR));
  await carryOut();
  await dirty();
  clock.set(later(HOUR));
  await carryOut();
  expect(await dirty()).toEqual([ada]);
  clock.set(later(5 * HOUR));
  expect(await carryOut()).toMatchObject({ expired: 1 });
  expect(await dirty()).toEqual([ada]);
});

test("what was revoked, and who left the group before, does not expire", async () => {
  const [ada, bob] = [await insertPerson(db.pool), await insertPerson(db.pool)];
  const group = await insertGroup(db.pool);
  await insertMembership(db.pool, { groupId: group, personId: bob, to: later(HOUR) });
  await inWork((work) => giveGrant(work, { groupId: group, role: "visitor", unit: "lobby", expiresAfterSeconds: 7200 }));
  const grantId = await inWork((work) => giveGrant(work, { personId: ada, role: "visitor", unit: "lobby", until: later(3 * HOUR) }));
  await carryOut();
  clock.set(later(HOUR));
  await inWork((work) => revokeGrant(work, { grantId, reason: "done earlier" }));
  expect(await has(ada)).toBe(false);
  await expect(inWork((work) => revokeGrant(work, { grantId, reason: "again" }))).rejects.toMatchObject({ code: "not_found" });
  clock.set(later(9 * HOUR));
  expect(await carryOut()).toMatchObject({ expired: 0, members: 0, next: null });
  expect((await events()).map((event) => event.name)).toEqual(["grant.revoked"]);
});

test("a grant to somebody who has left, for a time that is over, or to nobody is refused with the field named", async () => {
  const left = await insertPerson(db.pool, { state: "deactivated" });
  const ada = await insertPerson(db.pool);
  const give = (input: Partial<Parameters<typeof giveGrant>[1]>) =>
    inWork((work) => giveGrant(work, { role: "visitor", unit: "lobby", ...input }));
  await expect(give({ personId: left })).rejects.toMatchObject({ code: "conflict", field: "person" });
  await expect(give({})).rejects.toMatchObject({ code: "invalid", field: "person" });
  await expect(give({ personId: ada, until: DAY_ONE })).rejects.toMatchObject({ code: "invalid", field: "until" });
  await expect(give({ personId: ada, expiresAfterSeconds: 0 })).rejects.toMatchObject({ code: "invalid", field: "expiresAfterSeconds" });
  await expect(give({ personId: ada, role: "king" })).rejects.toMatchObject({ code: "not_found", field: "role" });
  await expect(give({ personId: ada, unit: "moon" })).rejects.toMatchObject({ code: "not_found", field: "unit" });
  expect(await nextBoundary(db.pool, DAY_ONE)).toBeNull();
});
