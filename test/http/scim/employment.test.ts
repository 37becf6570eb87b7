import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { CORE_USER, EMPLOYMENT_USER } from "../../../src/directory/attributes.ts";
import { openDoor, type Door } from "./door.ts";

let door: Door;
let id: string;
beforeAll(async () => {
  door = await openDoor({ now: () => new Date("2027-01-15T12:00:00Z") });
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

test("people are found by their dates, and the schema says what they are", async () => {
  const filter = encodeURIComponent(`${EMPLOYMENT_USER}:startDate eq "2027-02-01"`);
  const { body } = await door.request("GET", `/Users?filter=${filter}`);
  expect(body.Resources.map((found: { id: string }) => found.id)).toEqual([id]);
  const schema = await door.request("GET", `/Schemas/${EMPLOYMENT_USER}`);
  expect(schema.body.attributes.map(({ name }: { name: string }) => name)).toEqual(["startDate", "endDate", "timeZone"]);
});
