import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { nextBoundary } from "../../src/access/boundaries.ts";
import { createHandlers } from "../../src/jobs/handlers.ts";
import { openTargets } from "../../src/provision/targets.ts";
import { compileMapping } from "../../src/sync/mapping.ts";
import { transferred } from "../../src/sync/transfer.ts";
import { mappingSchema } from "../../src/connections/definition.ts";
import { HOUR, standingClock } from "../directory/fixtures.ts";
import { silentLog, testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { put, world } from "../helpers/memory-source.ts";
import { person, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";
import { whileTimeLasts } from "../helpers/while-time-lasts.ts";

const policy = { timeZone: "Asia/Tokyo" };
const now = new Date("2027-03-15T15:00:00Z");

describe("what a record with a transfer says", () => {
  const said = { department: "Sales", title: "Clerk", units: ["sales"], "transfer.date": "2027-03-16", "transfer.department": "Law" };

  test("from local midnight on, what it says for then takes the place of what it says for today, and nothing else", () => {
    expect(transferred(said, { policy, now: new Date(now.getTime() - 1) })).toEqual({ contribution: said, ahead: now });
    expect(transferred(said, { policy, now })).toEqual({ contribution: { ...said, department: "Law" }, ahead: null });
    expect(transferred({ ...said, "transfer.units": [""] }, { policy, now }).contribution["units"]).toEqual(["sales"]);
    expect(transferred({ ...said, "transfer.units": ["law"] }, { policy, now }).contribution["units"]).toEqual(["law"]);
  });

  test("the zone is the employment's, else the person's own where it is one, else the connection's", () => {
    const ahead = (zones: object) => transferred({ ...said, ...zones }, { policy, now: new Date(0) }).ahead?.toISOString();
    expect(ahead({ timezone: "America/New_York", "employment.timeZone": "Europe/Oslo" })).toBe("2027-03-15T23:00:00.000Z");
    expect(ahead({ timezone: "America/New_York" })).toBe("2027-03-16T04:00:00.000Z");
    expect(ahead({ timezone: "New York" })).toBe(now.toISOString());
    expect(() => ahead({ "transfer.date": "16.03.2027" })).toThrow(/transfer\.date/);
  });

  test("a mapping that transfers what no transfer changes is refused by name", () => {
    const compile = (key: string) => compileMapping(mappingSchema.parse({ user: { attributes: { [key]: "account.x" } } }));
    expect(compile("transfer.department").kinds.user?.transfers).toBe(false);
    expect(compile("transfer.date").kinds.user?.transfers).toBe(true);
    expect(() => compile("transfer.active")).toThrow(/mapping\.user\.attributes\.transfer\.active/);
  });
});

describe("carried out at its time", () => {
  let db: TestDatabase;
  const clock = standingClock(now);
  const ctx = testContext({ now: clock.now });
  const of = world();
  const attributes = {
    userName: "account.uid",
    department: "account.department",
    manager: "account.manager",
    "transfer.date": "account.transfer",
    "transfer.department": "account.next",
    "transfer.manager": "account.boss",
  };
  const sync = () => syncWorld(db, ctx, { world: of });
  /** The job that was queued for now, and the runs that it starts. */
  async function job(): Promise<void> {
    const targets = openTargets({ keyRing: testKeyRing, log: silentLog, signal: new AbortController().signal, now: clock.now });
    const handlers = createHandlers({ db, keyRing: testKeyRing, targets });
    await db.pool.query("delete from graphile_worker._private_jobs");
    await handlers.expire?.(ctx, {});
    const { rows } = await db.pool.query("select payload from graphile_worker._private_jobs where key like 'sync:%:remap'");
    for (const { payload } of rows) await handlers.sync?.(ctx, payload);
    await targets.close();
  }
  const departmentOf = async (uid: string) =>
    (
      await db.pool.query<{ department: string }>(
        `select attributes->'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'->>'department' as department from people where user_name = $1`,
        [uid],
      )
    ).rows[0]?.department;

  beforeAll(async () => {
    db = await testDatabase();
    const mapping = { user: { attributes }, employment: policy };
    await testConnection(db, ctx, { mapping });
  });
  afterAll(() => db.drop());

  test("whatever the feed says and takes back, and whenever runs and jobs come: once the job has come, it is as the feed says for now", async () => {
    const record = fc.record({
      department: fc.constantFrom("Sales", "Law"),
      transfer: fc.option(fc.record({ days: fc.integer({ min: -1, max: 3 }), next: fc.constantFrom("Law", "Lab", "") }), { nil: null }),
    });
    const step = fc.record({ hours: fc.integer({ min: 0, max: 40 }), said: fc.option(record, { nil: undefined }) });
    let people = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 4 }),
        whileTimeLasts(async (steps) => {
          const uid = `p${++people}`;
          let believed = { department: "Sales", day: "", next: "" };
          for (const { hours, said } of [{ hours: 0, said: { department: "Sales", transfer: null } }, ...steps]) {
            clock.forward(hours * HOUR);
            if (said) {
              const { department, transfer } = said;
              const day = transfer ? new Date(clock.now().getTime() + (transfer.days * 24 + 9) * HOUR).toISOString().slice(0, 10) : "";
              believed = { department, day, next: transfer?.next ?? "" };
              put(of, person(uid, { department, transfer: day, next: believed.next, manager: "", boss: "" }));
              await sync();
            }
            await job();
            const due =
              believed.day !== "" && believed.next !== "" && Date.parse(`${believed.day}T00:00:00+09:00`) <= clock.now().getTime();
            expect(await departmentOf(uid)).toBe(due ? believed.next : believed.department);
          }
        }),
      ),
      { numRuns: 6 },
    );
  });

  test("a manager moves as well; a job that comes twice changes nothing, and the next one is known", async () => {
    // What histories before this one left ahead is carried out first.
    clock.forward(5 * 24 * HOUR);
    await job();
    const ahead = new Date(clock.now().getTime() + 49 * HOUR);
    const day = new Date(ahead.getTime() + 9 * HOUR).toISOString().slice(0, 10);
    const at = new Date(`${day}T00:00:00+09:00`);
    for (const uid of ["old", "new"]) put(of, person(uid, { department: "Sales", transfer: "", next: "", manager: "", boss: "" }));
    put(of, person("ada", { department: "Sales", transfer: day, next: "Law", manager: "uid=old", boss: "uid=new" }));
    await sync();
    const managerOf = async () =>
      (await db.pool.query("select m.user_name from people p join people m on m.id = p.manager_id where p.user_name = 'ada'")).rows[0];
    expect(await managerOf()).toEqual({ user_name: "old" });
    expect(await nextBoundary(db.pool, clock.now())).toEqual(at);
    clock.set(at);
    await job();
    expect([await departmentOf("ada"), await managerOf()]).toEqual(["Law", { user_name: "new" }]);
    const events = async () => (await db.pool.query("select from audit_events where subject_type = 'person'")).rowCount;
    const before = await events();
    await job();
    await sync();
    expect(await events()).toBe(before);
    expect((await db.pool.query("select from transfers")).rowCount).toBe(0);
    put(of, person("ada", { department: "Sales", transfer: "", next: "", manager: "uid=old", boss: "" }));
    await sync();
    expect([await departmentOf("ada"), await managerOf()]).toEqual(["Sales", { user_name: "old" }]);
  });
});
