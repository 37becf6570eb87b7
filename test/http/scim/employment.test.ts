import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { CORE_USER, EMPLOYMENT_USER, ENTERPRISE_USER } from "../../../src/directory/attributes.ts";
import { createHandlers } from "../../../src/jobs/handlers.ts";
import { openTargets } from "../../../src/provision/targets.ts";
import { silentLog, testContext } from "../../helpers/database.ts";
import { keyRing, openDoor, type Door } from "./door.ts";

let door: Door;
let id: string;
let now = new Date("2027-01-15T12:00:00Z");
beforeAll(async () => {
  door = await openDoor({ now: () => now });
});
afterAll(() => door?.close());

const stateOf = async (personId: string) =>
  (await door.db.pool.query<{ state: string }>("select state from people where id = $1", [personId])).rows[0]?.state;
const user = (userName: string, employment: object) => ({ schemas: [CORE_USER, EMPLOYMENT_USER], userName, [EMPLOYMENT_USER]: employment });
const patch = (value: unknown) => ({
  schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
  Operations: [{ op: "replace", path: `${EMPLOYMENT_USER}:endDate`, value }],
});

test("P5: who is pushed before the first day is out until then, and the client reads back what it wrote", async () => {
  const { status, body } = await door.request("POST", "/Users", { body: user("new@hr.test", { startDate: "2027-02-01" }) });
  expect(status).toBe(201);
  expect(body).toMatchObject({ schemas: expect.arrayContaining([EMPLOYMENT_USER]), [EMPLOYMENT_USER]: { startDate: "2027-02-01" } });
  expect(await stateOf(body.id)).toBe("suspended");
  const { rows } = await door.db.pool.query<{ run_at: Date }>("select run_at from graphile_worker._private_jobs where key like 'expire:%'");
  expect(rows.map(({ run_at }) => run_at.toISOString())).toContain("2027-02-01T00:00:00.000Z");
  id = body.id;
});

test("P5: a date that is moved by a PATCH counts at once; one that can't be read is refused by name", async () => {
  const { body } = await door.request("POST", "/Users", {
    body: user("here@hr.test", { startDate: "2020-01-01", timeZone: "Pacific/Apia" }),
  });
  expect(await stateOf(body.id)).toBe("active");
  const refused = await door.request("PATCH", `/Users/${body.id}`, { body: patch("31.01.2027") });
  expect([refused.status, refused.body.scimType, refused.body.detail]).toEqual([
    400,
    "invalidValue",
    expect.stringMatching(/employment\.endDate/),
  ]);
  // It is the 16th in Apia already.
  const ended = await door.request("PATCH", `/Users/${body.id}`, { body: patch("2027-01-15") });
  expect(ended.status).toBe(200);
  expect(await stateOf(body.id)).toBe("deactivated");
  await door.request("PATCH", `/Users/${body.id}`, { body: patch("2027-01-16") });
  expect(await stateOf(body.id)).toBe("active");
});

test("P5: a zone that nobody can read is refused though no date asks for it; who has one already is read, changed and let go", async () => {
  const refusal = (field: string) => [400, "invalidValue", expect.stringContaining(`${field}: "Middle Earth" is not a time zone`)];
  const said = (answer: { status: number; body: { scimType?: string; detail?: string } }) => [
    answer.status,
    answer.body.scimType,
    answer.body.detail,
  ];
  const zoned = (userName: string, timeZone: string) => user(userName, { timeZone });
  expect(said(await door.request("POST", "/Users", { body: zoned("zone@hr.test", "Middle Earth") }))).toEqual(
    refusal("employment.timeZone"),
  );
  const { body } = await door.request("POST", "/Users", { body: zoned("zone@hr.test", "Europe/Oslo") });
  const operations = (...Operations: object[]) => ({ body: { schemas: patch("").schemas, Operations } });
  const zone = { op: "replace", path: `${EMPLOYMENT_USER}:timeZone`, value: "Middle Earth" };
  expect(said(await door.request("PATCH", `/Users/${body.id}`, operations(zone)))).toEqual(refusal("employment.timeZone"));
  expect(said(await door.request("PUT", `/Users/${body.id}`, { body: zoned("zone@hr.test", "Middle Earth") }))).toEqual(
    refusal("employment.timeZone"),
  );
  // As it was taken in by an older release.
  for (const [table, column] of [
    ["accounts", "person_id"],
    ["people", "id"],
  ])
    await door.db.pool.query(
      `update ${table} set attributes = replace(attributes::text, 'Europe/Oslo', 'Middle Earth')::jsonb, version = version + 1 where ${column} = $1`,
      [body.id],
    );
  expect((await door.request("GET", `/Users/${body.id}`)).body[EMPLOYMENT_USER]).toEqual({ timeZone: "Middle Earth" });
  const titled = await door.request("PATCH", `/Users/${body.id}`, operations({ op: "replace", path: "title", value: "Cook" }));
  expect([titled.status, titled.body.title]).toEqual([200, "Cook"]);
  expect((await door.request("PATCH", `/Users/${body.id}`, operations({ op: "replace", path: "active", value: false }))).status).toBe(200);
  expect(await stateOf(body.id)).toBe("suspended");
});

test("P5: whoever is to be out is, whatever else is said of them", async () => {
  const { body } = await door.request("POST", "/Users", { body: user("out@hr.test", {}) });
  const out = { ...user("out@hr.test", { timeZone: "Middle Earth" }), active: false };
  expect((await door.request("PUT", `/Users/${body.id}`, { body: out })).status).toBe(200);
  expect(await stateOf(body.id)).toBe("suspended");
});

test("people are found by their dates, and the schema says what they are", async () => {
  const filter = encodeURIComponent(`${EMPLOYMENT_USER}:startDate eq "2027-02-01"`);
  const { body } = await door.request("GET", `/Users?filter=${filter}`);
  expect(body.Resources.map((found: { id: string }) => found.id)).toEqual([id]);
  const schema = await door.request("GET", `/Schemas/${EMPLOYMENT_USER}`);
  expect(schema.body.attributes.map(({ name }: { name: string }) => name)).toEqual(["startDate", "endDate", "timeZone", "transfer"]);
});

describe("a transfer ahead", () => {
  const departmentOf = async (personId: string) =>
    (
      await door.db.pool.query<{ department: string }>("select attributes->$2->>'department' as department from people where id = $1", [
        personId,
        ENTERPRISE_USER,
      ])
    ).rows[0]?.department;
  const moving = (userName: string, transfer: object) => ({
    ...user(userName, { timeZone: "Europe/Oslo", transfer }),
    schemas: [CORE_USER, ENTERPRISE_USER, EMPLOYMENT_USER],
    [ENTERPRISE_USER]: { department: "Sales" },
  });
  /** The job that waits for the next boundary, and what it starts. */
  async function jobs(): Promise<void> {
    const targets = openTargets({ keyRing: keyRing, log: silentLog, signal: new AbortController().signal, now: () => now });
    const handlers = createHandlers({ db: door.db, keyRing: keyRing, targets });
    const ctx = testContext({ now: () => now });
    await handlers.expire?.(ctx, {});
    const { rows } = await door.db.pool.query("delete from graphile_worker._private_jobs where key like 'sync:%:remap' returning payload");
    for (const { payload } of rows) await handlers.sync?.(ctx, payload);
    await targets.close();
  }

  test("P5: comes about at its local day without another request, and the client reads back what it wrote", async () => {
    now = new Date("2027-01-15T12:00:00Z");
    const { status, body } = await door.request("POST", "/Users", {
      body: moving("mover@hr.test", { date: "2027-02-01", department: "Law" }),
    });
    expect(status).toBe(201);
    const written = { timeZone: "Europe/Oslo", transfer: { date: "2027-02-01", department: "Law" } };
    expect(body[EMPLOYMENT_USER]).toEqual(written);
    now = new Date("2027-01-31T22:59:59Z");
    await jobs();
    expect(await departmentOf(body.id)).toBe("Sales");
    now = new Date("2027-01-31T23:00:00Z");
    await jobs();
    expect(await departmentOf(body.id)).toBe("Law");
    expect((await door.request("GET", `/Users/${body.id}`)).body[EMPLOYMENT_USER]).toEqual(written);
  });

  test("is moved and taken back by a PATCH; a date that can't be read is refused by name", async () => {
    now = new Date("2027-01-15T12:00:00Z");
    const { body } = await door.request("POST", "/Users", { body: moving("wavers@hr.test", { date: "2027-01-10", department: "Law" }) });
    const { id: mover } = body;
    expect(await departmentOf(mover)).toBe("Law");
    const operation = (op: string, path: string, value?: unknown) =>
      door.request("PATCH", `/Users/${mover}`, {
        body: {
          schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
          Operations: [{ op, path: `${EMPLOYMENT_USER}:${path}`, ...(value === undefined ? {} : { value }) }],
        },
      });
    expect((await operation("replace", "transfer.date", "2027-01-20")).status).toBe(200);
    expect(await departmentOf(mover)).toBe("Sales");
    const refused = await operation("replace", "transfer.date", "20.01.2027");
    expect([refused.status, refused.body.detail]).toEqual([400, expect.stringMatching(/transfer\.date/)]);
    expect((await operation("remove", "transfer")).status).toBe(200);
    now = new Date("2027-01-21T12:00:00Z");
    await jobs();
    expect(await departmentOf(mover)).toBe("Sales");
    expect((await operation("add", "transfer", { date: "2027-01-20", title: "Head" })).status).toBe(200);
    expect((await door.db.pool.query("select attributes->>'title' as title from people where id = $1", [mover])).rows).toEqual([
      { title: "Head" },
    ]);
  });
});
