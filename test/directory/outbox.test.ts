import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { markedOnce, markGroups, markPeople } from "../../src/directory/outbox.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { DAY_ONE, HOUR, insertAccount, insertConnection, insertGroup, insertPerson, later, standingClock } from "./fixtures.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());
beforeEach(() =>
  db.pool.query("truncate connections, projections, accounts, people, groups cascade; delete from graphile_worker._private_jobs"),
);

const clock = standingClock();
const work = (): Work => ({ ctx: testContext({ now: clock.now }), sql: db.pool });
const projections = async () => (await db.pool.query("select * from projections order by connection_id, person_id, group_id")).rows;
const jobs = async () => (await db.pool.query("select task_identifier, key, queue_name from graphile_worker.jobs order by key")).rows;

describe("marking people", () => {
  test("nothing is written and nothing woken without a target", async () => {
    await insertConnection(db.pool, { policy: { writeBack: { disable: false, groups: false } } });
    await insertConnection(db.pool, { policy: { provision: { groups: [] } }, enabled: false });
    const person = await insertPerson(db.pool);
    await markPeople(work(), { personIds: [person] });
    expect(await projections()).toEqual([]);
    expect(await jobs()).toEqual([]);
  });

  test("M4: targets get everybody, write-back only those with a live account there; one job per connection", async () => {
    const target = await insertConnection(db.pool, { policy: { provision: { groups: [] } } });
    const source = await insertConnection(db.pool, { policy: { writeBack: { disable: true, groups: false } } });
    const [linked, gone, stranger] = [await insertPerson(db.pool), await insertPerson(db.pool), await insertPerson(db.pool)];
    await insertAccount(db.pool, { connectionId: source, personId: linked });
    await insertAccount(db.pool, { connectionId: source, personId: linked });
    await insertAccount(db.pool, { connectionId: source, personId: gone, gone: DAY_ONE });
    const flow = work();
    await markPeople(flow, { personIds: [linked, gone, stranger, linked] });
    await markPeople(flow, { personIds: [linked] });
    const rows = await projections();
    expect(
      rows
        .filter((row) => row.connection_id === target)
        .map((row) => row.person_id)
        .sort(),
    ).toEqual([linked, gone, stranger].sort());
    expect(rows.filter((row) => row.connection_id === source).map((row) => row.person_id)).toEqual([linked]);
    expect((await jobs()).map((job) => [job.task_identifier, job.queue_name])).toEqual([
      ["project", `project:${target}`],
      ["project", `project:${source}`],
    ]);
  });

  test("B7: the four times are carried, and those of the first undelivered change stay", async () => {
    await insertConnection(db.pool, { policy: { provision: {} } });
    const person = await insertPerson(db.pool);
    clock.set(later(HOUR));
    await markPeople(work(), { personIds: [person], times: new Map([[person, { sourceChangedAt: DAY_ONE, seenAt: later(1000) }]]) });
    clock.set(later(2 * HOUR));
    await markPeople(work(), { personIds: [person], sourceChangedAt: later(HOUR), seenAt: later(HOUR) });
    expect(await projections()).toMatchObject([
      { source_changed_at: DAY_ONE, seen_at: later(1000), decided_at: later(HOUR), dirty_at: later(2 * HOUR) },
    ]);
    await db.pool.query("update projections set dirty_at = null");
    await markPeople(work(), { personIds: [person], sourceChangedAt: later(HOUR), seenAt: later(HOUR) });
    expect(await projections()).toMatchObject([{ source_changed_at: later(HOUR), seen_at: later(HOUR), decided_at: later(2 * HOUR) }]);
  });

  test("B7: a later change at the source doesn't mix its time into an earlier decision that waits", async () => {
    await insertConnection(db.pool, { policy: { provision: {} } });
    const person = await insertPerson(db.pool);
    clock.set(later(HOUR));
    await markPeople(work(), { personIds: [person] });
    clock.set(later(3 * HOUR));
    await markPeople(work(), { personIds: [person], sourceChangedAt: later(2 * HOUR), seenAt: later(3 * HOUR) });
    expect(await projections()).toMatchObject([{ source_changed_at: null, seen_at: later(HOUR), decided_at: later(HOUR) }]);
  });
});

test("groups are marked where the target keeps them: all, by name, or because it has them already", async () => {
  const all = await insertConnection(db.pool, { policy: { provision: { groups: "all" } } });
  const named = await insertConnection(db.pool, { policy: { provision: { groups: ["staff"] } } });
  await insertConnection(db.pool, { policy: { provision: { groups: [] } } });
  const [staff, other] = [await insertGroup(db.pool, { displayName: "Staff" }), await insertGroup(db.pool, { displayName: "Other" })];
  await markGroups(work(), { groupIds: [staff, other] });
  const marked = async () =>
    (await projections())
      .map(
        (row) =>
          `${row.connection_id === all ? "all" : row.connection_id === named ? "named" : "none"}:${row.group_id === staff ? "staff" : "other"}`,
      )
      .sort();
  expect(await marked()).toEqual(["all:other", "all:staff", "named:staff"]);
  await db.pool.query("update groups set display_name = 'People' where id = $1", [staff]);
  await db.pool.query("update projections set dirty_at = null");
  await markGroups(work(), { groupIds: [staff] });
  expect((await projections()).filter((row) => row.dirty_at !== null).length).toBe(2);
});

describe("a flow that marks at several places", () => {
  test("marks at its end, and once: the way that began at a source is measured from there", async () => {
    await insertConnection(db.pool, { policy: { provision: { groups: "all" } } });
    const [first, second] = [await insertPerson(db.pool), await insertPerson(db.pool)];
    const group = await insertGroup(db.pool, { displayName: "Staff" });
    clock.set(later(HOUR));
    await markedOnce(work(), async (flow) => {
      await markGroups(flow, { groupIds: [group] });
      await markPeople(flow, { personIds: [second] });
      await markPeople(flow, { personIds: [first, second], sourceChangedAt: DAY_ONE, seenAt: later(1000) });
      await markPeople(flow, { personIds: [first] });
      expect(await projections()).toEqual([]);
    });
    const times = { version: 1, source_changed_at: DAY_ONE, seen_at: later(1000), decided_at: later(HOUR) };
    expect((await projections()).map(({ person_id, group_id, ...row }) => [person_id ?? group_id, row])).toEqual(
      [...[first, second].sort(), group].map((id) => [
        id,
        expect.objectContaining(id === group ? { version: 1, source_changed_at: null, seen_at: later(HOUR) } : times),
      ]),
    );
    expect(await jobs()).toHaveLength(1);
  });

  test("marks nothing when it fails", async () => {
    await insertConnection(db.pool, { policy: { provision: {} } });
    const person = await insertPerson(db.pool);
    const flow = markedOnce(work(), async (each) => {
      await markPeople(each, { personIds: [person] });
      throw new Error("no");
    });
    await expect(flow).rejects.toThrow("no");
    expect(await projections()).toEqual([]);
  });

  test("two that mark the same people in opposite orders wait for each other, and neither fails", async () => {
    await insertConnection(db.pool, { policy: { provision: {} } });
    const [first, second] = [await insertPerson(db.pool), await insertPerson(db.pool)];
    await markPeople(work(), { personIds: [first, second] });
    let arrived = 0;
    let bothAreThere = () => {};
    const both = new Promise<void>((resolve) => (bothAreThere = resolve));
    const flow = (order: readonly string[]) =>
      inTransaction(db, testContext({ now: clock.now }), (outer) =>
        markedOnce(outer, async (each) => {
          for (const id of order) {
            await markPeople(each, { personIds: [id] });
            if (++arrived === 2) bothAreThere();
            await both;
          }
        }),
      );
    await Promise.all([flow([first, second]), flow([second, first])]);
    expect((await projections()).map(({ version }) => version)).toEqual([3, 3]);
  });
});
