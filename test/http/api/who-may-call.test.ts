import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { giveGrant } from "../../../src/access/grants.ts";
import type { Caller } from "../../../src/access/policy.ts";
import { OUT_OF_REACH } from "../../../src/access/policy.ts";
import { createAccessSnapshot, type AccessSnapshot } from "../../../src/access/snapshot/snapshot.ts";
import { createTurns } from "../../../src/auth/passwords/turns.ts";
import { projectFolder } from "../../../src/db/folder.ts";
import { AppError } from "../../../src/errors.ts";
import { perform } from "../../../src/http/api/perform.ts";
import type { ApiOptions, Route } from "../../../src/http/api/route.ts";
import { apiRoutes } from "../../../src/http/api/routes.ts";
import { signInSettings } from "../../../src/sign-in-settings.ts";
import { loopback, silentLog, testContext } from "../../helpers/database.ts";
import { keyRing } from "../scim/door.ts";
import { openApi, type ApiDoor } from "./api-door.ts";
import { SAMPLES } from "./samples/all.ts";
import type { SampleRequest, Side } from "./samples/sample.ts";

/**
 * Every route, asked by every kind of caller for something of its own unit and of a foreign one. What comes out must be the table in
 * who-may-call.txt, which is read before it is changed: WRITE_TABLE=1 writes it anew.
 */
const TABLE = path.join(projectFolder(), "test/http/api/who-may-call.txt");
const ROLES = ["administrator", "operator", "unit-administrator", "help-desk", "auditor", "security-analyst", "access-checker"];

let door: ApiDoor;
let own: Side;
let foreign: Side;
let columns: { name: string; caller: Caller; about?: Side }[];
let stranger: Caller;
let accessSnapshot: AccessSnapshot;

const callerOf = (personId: string): Caller => ({
  actor: `person:${personId}`,
  credential: "test",
  personId,
  permissions: null,
  unitIds: null,
});

beforeAll(async () => {
  door = await openApi();
  accessSnapshot = createAccessSnapshot({ db: door.db, log: silentLog, now: door.clock.now });
  const top = await door.newUnit({ name: "Top", type: "organization" });
  const side = async (name: string): Promise<Side> => {
    const unitId = await door.newUnit({ name, parentId: top });
    return { unitId, personId: await door.newPerson({ unitId }) };
  };
  own = await side("Own");
  foreign = await side("Foreign");
  const manager = await door.newPerson({ unitId: foreign.unitId });
  const report = await door.newPerson({ unitId: own.unitId, managerId: manager });
  const holder = async (role: string, unitId: string) => callerOf((await door.newHolder({ role, unitId })).personId);
  columns = [
    { name: "oneself", caller: callerOf(own.personId) },
    { name: "manager", caller: callerOf(manager), about: { unitId: own.unitId, personId: report } },
    { name: "somebody", caller: callerOf(await door.newPerson({ unitId: own.unitId })) },
  ];
  for (const role of ROLES) columns.push({ name: `${role} of the unit`, caller: await holder(`rollcall-${role}`, own.unitId) });
  for (const role of ROLES) columns.push({ name: `${role} of all`, caller: await holder(`rollcall-${role}`, top) });
  // One who holds every role of the other modules.
  const holdsOthers = await door.newPerson();
  const { rows } = await door.db.pool.query<{ key: string }>("select key from roles where key not like 'rollcall-%' order by key");
  for (const { key } of rows) await door.work((work) => giveGrant(work, { personId: holdsOthers, role: key, unit: top }));
  stranger = callerOf(holdsOthers);
});
afterAll(() => door?.close());

type Outcome = "yes" | "403" | "404";

/** Asks in a transaction that is undone. What a route answers once it has let the caller in doesn't matter here. */
async function outcomeOf(route: Route, { caller, side }: { caller: Caller; side: Side }): Promise<Outcome> {
  const options: ApiOptions = {
    db: door.db,
    keyRing,
    log: silentLog,
    now: door.clock.now,
    accessSnapshot,
    network: { allow: [...loopback.allow], direct: [] },
    connectionFolders: [],
    signIn: signInSettings.parse({}),
    turns: createTurns({ atOnce: 1, waiting: 0 }),
    previewTurns: createTurns({ atOnce: 1, waiting: 0 }),
    baseUrl: "http://localhost",
    bodyLimit: 1024 * 1024,
  };
  const sample = await sampleOf(route, side);
  const client = await door.db.pool.connect();
  try {
    await client.query("begin");
    await perform(route, {
      ctx: testContext({ now: door.clock.now, actor: caller.actor }),
      caller,
      options,
      sql: client,
      request: {
        base: "/api/v1",
        path: route.path,
        params: sample.params ?? {},
        query: sample.query ?? {},
        body: sample.body,
        // Where no version is compared, the frame refuses one before it asks for permissions.
        ifMatch: route.versioned ? '"999999999"' : undefined,
      },
    });
    return "yes";
  } catch (error) {
    if (error instanceof AppError && error.code === "forbidden") return "403";
    if (error instanceof AppError && error.code === "not_found" && error.cause === OUT_OF_REACH) return "404";
    if (error instanceof AppError) return "yes";
    throw new Error(`${nameOf(route)} failed in an unforeseen way`, { cause: error });
  } finally {
    await client.query("rollback");
    client.release();
  }
}

const nameOf = (route: Route) => `${route.method.toUpperCase()} ${route.path}`;

/** By the unit, since making one for somebody else there may take the first away. */
const samples = new Map<string, { personId: string; sample: Promise<SampleRequest> }>();

/** Once for a side while a route is asked by all: whatever is done with it is undone. */
function sampleOf(route: Route, side: Side): Promise<SampleRequest> {
  const made = samples.get(side.unitId);
  if (made?.personId === side.personId) return made.sample;
  const sample = newSample(route, side);
  samples.set(side.unitId, { personId: side.personId, sample });
  return sample;
}

async function newSample(route: Route, side: Side): Promise<SampleRequest> {
  const written = SAMPLES[nameOf(route)];
  if (written) return written(door, side);
  const { access } = route;
  const on = typeof access === "object" ? access.on : "";
  if (on === "handler")
    throw new Error(`${nameOf(route)} names what it is about in its body or by another id: write a sample for it in test/http/api/samples`);
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const some = wellFormed(route, names);
  const valueOf = (name: string) => {
    if (typeof on === "object") return "unit" in on ? (name === on.unit ? side.unitId : some) : name === on.person ? side.personId : some;
    return some;
  };
  return { params: Object.fromEntries(names.map((name) => [name, valueOf(name)])) };
}

/** What the path's schema takes, so that the permission is what is asked for next. */
function wellFormed({ params }: Route, names: readonly string[]): string {
  const fits = (value: string) => params?.safeParse(Object.fromEntries(names.map((name) => [name, value]))).success ?? true;
  return ["1", "sample", "00000000-0000-4000-8000-000000000000"].find(fits) ?? "1";
}

/** One word where it makes no difference whose it is. */
async function cellOf(route: Route, { caller, about = own }: { caller: Caller; about?: Side }): Promise<string> {
  const here = await outcomeOf(route, { caller, side: about });
  if (!SAMPLES[nameOf(route)] && (typeof route.access === "string" || typeof route.access.on === "string")) return here;
  const there = await outcomeOf(route, { caller, side: foreign });
  return here === there ? here : `${here}/${there}`;
}

describe("who may call what", () => {
  test("invariant 7: every route, with every shipped role, on the own unit and on a foreign one, is as the reviewed table says", async () => {
    const names = columns.map(({ name }) => name);
    const rows: string[][] = [];
    for (const route of apiRoutes()) {
      samples.clear();
      const cells = [];
      for (const column of columns) cells.push(await cellOf(route, column));
      rows.push([nameOf(route), ...cells]);
    }
    const text = tableOf([
      ["route", ...names],
      ...rows.sort(([a = ""], [b = ""]) => (a.split(" ")[1] ?? "").localeCompare(b.split(" ")[1] ?? "", "en") || a.localeCompare(b, "en")),
    ]);
    if (process.env["WRITE_TABLE"] === "1") writeFileSync(TABLE, text);
    expect(text).toBe(readFileSync(TABLE, "utf8"));
  }, 300_000);

  test("roles of other modules give nothing here: who holds them is somebody", async () => {
    const somebody = columns.find(({ name }) => name === "somebody");
    if (!somebody) throw new Error("the column is gone");
    for (const route of apiRoutes()) {
      samples.clear();
      const expected = await cellOf(route, somebody);
      expect([nameOf(route), await cellOf(route, { caller: stranger })]).toEqual([nameOf(route), expected]);
    }
  }, 300_000);

  test("without a credential every route but the public ones refuses", async () => {
    for (const route of apiRoutes().filter(({ access }) => access !== "public")) {
      const at = route.path.replaceAll(/\{\w+\}/g, "1");
      const { status } = await door.request(route.method, at, { token: null, headers: { "If-Match": "*" } });
      expect([nameOf(route), status]).toEqual([nameOf(route), 401]);
    }
  });
});

function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return `${rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n")}\n`;
}
