import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { checkAccess } from "../../src/access/effective.ts";
import { carryOutExpiry } from "../../src/access/expiry.ts";
import { giveGrant } from "../../src/access/grants.ts";
import { createRule } from "../../src/access/rules.ts";
import { createRole } from "../../src/access/roles.ts";
import { createUnit } from "../../src/directory/units.ts";
import { ENTERPRISE_USER, EMPLOYMENT_USER } from "../../src/directory/attributes.ts";
import { loadConnection } from "../../src/connections/open.ts";
import { addConnection } from "../../src/connections/store.ts";
import { validateDefinition } from "../../src/connections/validate.ts";
import { syncOne } from "../../src/sync/one.ts";
import { runSync } from "../../src/sync/run.ts";
import { startTransfers } from "../../src/sync/start-transfers.ts";
import { startWorld, type World } from "../provision/world.ts";
import { fourTimes } from "./four-times.ts";

const PERMISSION = "test.door.open";
const COLUMNS = [
  "number",
  "login",
  "first",
  "last",
  "mail",
  "department",
  "manager",
  "start",
  "end",
  "zone",
  "moves",
  "next",
  "boss",
] as const;
type Line = Partial<Record<(typeof COLUMNS)[number], string>> & { number: string };

let world: World;
let folder: string;
const lines = new Map<string, Line>();

/** What the feed says of somebody from now on. */
function feed(line: Line): void {
  lines.set(line.number, {
    login: `n${line.number}`,
    first: "N",
    last: line.number,
    mail: `n${line.number}@hr.test`,
    ...lines.get(line.number),
    ...line,
  });
  const rows = [...lines.values()].map((each) => COLUMNS.map((column) => each[column] ?? "").join(","));
  writeFileSync(path.join(folder, "people.csv"), [COLUMNS.join(","), ...rows, `END,${rows.length}`, ""].join("\n"));
}

const UNGUARDED = { count: 10_000, share: 1, floor: 10_000 };

async function sync(): Promise<void> {
  await runSync(world.ctx, { db: world.db, keyRing: world.keyRing, connection: "hr", mode: "full", trigger: "cli" });
  await world.drain();
}

/** Sets the clock, as far as it goes on by itself between two lines. */
function goTo(instant: string): void {
  world.clock.pass(Date.parse(instant) - world.clock.now().getTime());
}

async function tick(): Promise<void> {
  await world.work(carryOutExpiry);
  await world.drain();
}

/** The job that is queued for this instant, and the run that it starts where a transfer has come. */
async function carryOut(): Promise<void> {
  const moving = await world.work(startTransfers);
  if (moving > 0) await runSync(world.ctx, { db: world.db, keyRing: world.keyRing, connection: "hr", mode: "remap", trigger: "recovery" });
  await tick();
}

async function personOf(login: string): Promise<string> {
  const { rows } = await world.db.pool.query<{ id: string }>("select id from people where user_name = $1", [login]);
  expect(rows.length).toBe(1);
  return rows[0]?.id ?? "";
}

async function standing(login: string) {
  const id = await personOf(login);
  const { rows } = await world.db.pool.query(
    `select state,
       (select count(*)::int from sessions where person_id = $1 and ended_at is null) as sessions,
       (select count(*)::int from tokens where person_id = $1 and revoked_at is null) as tokens,
       (select count(*)::int from grants where person_id = $1 and recorded_to is null and (valid_to is null or valid_to > $2)) as grants
     from people where id = $1`,
    [id, world.clock.now()],
  );
  return { ...(rows[0] as Record<string, unknown>), access: await mayOpen(id), downstream: world.user(login)?.active };
}

async function mayOpen(personId: string): Promise<boolean> {
  const { rows } = await world.db.pool.query<{ id: string }>("select id from units where code = 'lobby'");
  return checkAccess(world.db.pool, { personId, permission: PERMISSION, unitId: rows[0]?.id ?? "", at: world.clock.now() });
}

async function giveDoors(login: string): Promise<void> {
  const personId = await personOf(login);
  await world.work((work) => giveGrant(work, { personId, role: "doors", unit: "lobby", reason: "works here" }));
}

/** Signed in, with a token of their own. */
async function signIn(login: string): Promise<void> {
  const personId = await personOf(login);
  const now = world.clock.now();
  await world.db.pool.query(
    "insert into sessions (id, person_id, hash, created_at, last_seen_at, expires_at) values ($1, $2, $3, $4, $4, 'infinity')",
    [randomUUID(), personId, randomUUID(), now],
  );
  await world.db.pool.query(
    "insert into tokens (id, name, prefix, hash, scope, person_id, created_at) values ($1, 'own', 'own', $2, 'api', $3, $4)",
    [randomUUID(), randomUUID(), personId, now],
  );
}

const IN = { state: "active", sessions: 1, tokens: 1, grants: 1, access: true, downstream: true };
const OUT = { state: "deactivated", sessions: 0, tokens: 0, grants: 0, access: false, downstream: false };

describe("effective dates of an HR feed", () => {
  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-hr-"));
    world = await startWorld();
    goTo("2027-03-22T12:00:00Z");
    await world.db.pool.query("insert into permissions (key, module, resource, action) values ($1, 'test', 'door', 'open')", [PERMISSION]);
    await world.work((work) => createRole(work, { key: "doors", name: "Doors", permissions: [PERMISSION] }));
    await world.work((work) => createUnit(work, { name: "Lobby", code: "lobby" }));
    // The lines that are commented out are for files with columns for transfers, as these are.
    const text = readFileSync(new URL("../../config/mappings/hr-csv.yaml", import.meta.url), "utf8");
    const columns = { moves: "account.moves", next_department: "account.next", next_manager: "account.boss" };
    const named = Object.entries(columns).reduce((yaml, [column, own]) => yaml.replace(`account.${column}`, own), text);
    const shipped = parse(named.replaceAll(/# (transfer\.)/g, "$1")) as { settings: object };
    const definition = validateDefinition(
      {
        ...shipped,
        schedule: undefined,
        settings: { ...shipped.settings, file: path.join(folder, "people.csv") },
        limits: { disable: UNGUARDED, delete: UNGUARDED, window: UNGUARDED, members: UNGUARDED, shrink: 1 },
      },
      {},
    );
    await world.work((work) => addConnection(work, { definition, keyRing: world.keyRing }));
  });
  afterAll(async () => {
    await world?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("P5: a joiner is ready three days before the first day, from midnight where they work; not earlier, and not by a run", async () => {
    feed({ number: "1", start: "2027-03-29", zone: "America/Los_Angeles" });
    await sync();
    expect(await standing("n1")).toMatchObject({ state: "suspended", access: false, downstream: undefined });
    goTo("2027-03-26T06:59:50Z");
    await tick();
    expect(await standing("n1")).toMatchObject({ state: "suspended", downstream: undefined });
    goTo("2027-03-26T07:00:00Z");
    await tick();
    expect(await standing("n1")).toMatchObject({ state: "active", downstream: true });
    await sync();
    expect(await standing("n1")).toMatchObject({ state: "active", downstream: true });
  });

  test("P5, A5: on the last day, at the local time, access is gone though no job has come; then sessions, tokens, grants and the account downstream", async () => {
    feed({ number: "2", end: "2027-03-31", zone: "Pacific/Kiritimati" });
    await sync();
    await giveDoors("n2");
    await signIn("n2");
    await world.drain();
    goTo("2027-03-31T03:59:50Z");
    await tick();
    expect(await standing("n2")).toEqual(IN);
    const end = "2027-03-31T04:00:00.000Z";
    goTo(end);
    expect(await standing("n2")).toEqual({ ...IN, access: false });
    await tick();
    expect(await standing("n2")).toEqual(OUT);
    const { line, times } = await fourTimes(world, {
      what: "HR, last day",
      target: "app",
      personId: await personOf("n2"),
      changedAt: new Date(end),
    });
    process.stdout.write(`${line}\n`);
    expect(times[0]?.toISOString()).toBe(end);
    expect(times).toEqual([...times].sort((left, right) => left.getTime() - right.getTime()));
    await sync();
    expect(await standing("n2")).toEqual(OUT);
  });

  test("P5: a rehire is the same person with the same account downstream, once the new time has come", async () => {
    const [id, account] = [await personOf("n2"), world.user("n2")?.id];
    goTo("2027-05-03T08:00:00Z");
    feed({ number: "2", start: "2027-06-01", end: "" });
    await sync();
    expect(await standing("n2")).toEqual({ ...OUT, state: "suspended" });
    goTo("2027-05-28T10:00:00Z");
    await tick();
    expect(await standing("n2")).toEqual({ ...OUT, state: "active", downstream: true });
    expect([await personOf("n2"), world.user("n2")?.id]).toEqual([id, account]);
    expect(world.downstream.users().filter(({ userName }) => userName === "n2").length).toBe(1);
    // What was so stays so: in between there was no access, whatever is believed now.
    const { rows } = await world.db.pool.query(
      "select valid_from, valid_to from employment_absences where person_id = $1 and recorded_to is null order by valid_from",
      [id],
    );
    expect(rows[0]).toMatchObject({ valid_from: new Date("2027-03-31T04:00:00Z") });
  });

  test("P5: an end that is moved counts from then on, and an end in the past at once", async () => {
    feed({ number: "3", end: "2027-06-30" });
    await sync();
    await giveDoors("n3");
    feed({ number: "3", end: "2027-12-31" });
    await sync();
    goTo("2027-06-30T17:00:00Z");
    await tick();
    expect(await standing("n3")).toMatchObject({ state: "active", access: true, downstream: true });
    feed({ number: "3", end: "2027-06-29" });
    await sync();
    expect(await standing("n3")).toEqual(OUT);
    feed({ number: "3", end: "" });
    await sync();
    expect(await standing("n3")).toMatchObject({ state: "active", downstream: true });
  });

  test("P5: a transfer that the feed names ahead is carried out at local midnight by the job alone, and by it the rights of the department", async () => {
    feed({ number: "20" });
    feed({ number: "21", department: "Sales", moves: "2027-07-05", next: "Laboratory", boss: "20", zone: "Asia/Tokyo" });
    await sync();
    await world.work((work) =>
      createRule(work, {
        name: "laboratory",
        condition: `person.department == "Laboratory"`,
        role: "doors",
        unit: "lobby",
      }),
    );
    const id = await personOf("n21");
    const manager = async () =>
      (await world.db.pool.query("select m.user_name from people p join people m on m.id = p.manager_id where p.id = $1", [id])).rows;
    goTo("2027-07-04T14:59:50Z");
    await carryOut();
    expect([await mayOpen(id), await manager()]).toEqual([false, []]);
    goTo("2027-07-04T15:00:00Z");
    await carryOut();
    expect([await mayOpen(id), await manager()]).toEqual([true, [{ user_name: "n20" }]]);
    await sync();
    expect(await mayOpen(id)).toBe(true);
    feed({ number: "21", moves: "2027-08-01" });
    await sync();
    expect(await mayOpen(id)).toBe(false);
  });

  test("P5: a date that can't be read is that line's problem, and nobody's end is lost by it", async () => {
    feed({ number: "4", end: "2027-08-31" });
    await sync();
    feed({ number: "4", end: "31.08.2028" });
    await sync();
    const { rows } = await world.db.pool.query("select message from run_problems where native_id = '4'");
    expect(rows).toEqual([{ message: expect.stringMatching(/employment\.endDate: "31\.08\.2028" is not a date/) }]);
    goTo("2027-08-31T16:00:00Z");
    await tick();
    expect(await standing("n4")).toMatchObject({ state: "deactivated", downstream: false });
  });

  test("P5: an HR system that pushes over SCIM says the same by the employment extension", async () => {
    const { id: connectionId } = await world.work((work) =>
      addConnection(work, {
        keyRing: world.keyRing,
        definition: {
          name: "pushing-hr",
          connector: "scim-inbound",
          mapping: { employment: { readyDaysBefore: 2 } },
        },
      }),
    );
    const push = (resource: Record<string, unknown>, id?: string) =>
      world.work(async (work) => {
        const connection = await loadConnection(work.sql, world.keyRing, "pushing-hr");
        return syncOne(work, { connection, keyRing: world.keyRing, record: { kind: "user", ...(id ? { id } : {}), resource } as never });
      });
    const resource = { userName: "pushed", [ENTERPRISE_USER]: { employeeNumber: "p1" }, timezone: "Asia/Tokyo" };
    const { id } = await push({ ...resource, [EMPLOYMENT_USER]: { startDate: "2027-09-10", endDate: "2027-09-30T17:30" } });
    expect(connectionId).toBeGreaterThan(0);
    expect(await standing("pushed")).toMatchObject({ state: "suspended" });
    goTo("2027-09-07T14:59:50Z");
    await tick();
    expect(await standing("pushed")).toMatchObject({ state: "suspended" });
    goTo("2027-09-07T15:00:00Z");
    await tick();
    expect(await standing("pushed")).toMatchObject({ state: "active", downstream: true });
    await signIn("pushed");
    await giveDoors("pushed");
    goTo("2027-09-30T08:30:00Z");
    expect(await standing("pushed")).toMatchObject({ state: "active", access: false });
    await tick();
    expect(await standing("pushed")).toEqual(OUT);
    await push({ ...resource, [EMPLOYMENT_USER]: { startDate: "2027-09-10", endDate: "2028-09-30" } }, id);
    await world.drain();
    expect(await standing("pushed")).toEqual({ ...OUT, state: "active", downstream: true });
  });
});
