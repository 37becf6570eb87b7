import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { CORE_GROUP, CORE_USER } from "../../../src/directory/attributes.ts";
import { openDoor, type Door } from "./door.ts";

const MINUTE = 60_000;
let door: Door;
let now = new Date("2027-01-15T12:00:00Z");
beforeAll(async () => {
  door = await openDoor({ now: () => now });
});
afterAll(() => door?.close());

const at = (minutes: number) => void (now = new Date(Date.parse("2027-01-15T12:00:00Z") + minutes * MINUTE));
const patch = (path: string, operation: object) =>
  door.request("PATCH", path, { body: { schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], Operations: [operation] } });

test("M1, P5: who was let in by a clock that was ahead leaves all the same once it is set back, and comes again", async () => {
  at(0);
  const { body } = await door.request("POST", "/Users", { body: { schemas: [CORE_USER], userName: "ahead@example.com", active: true } });
  const set = async (value: boolean) => (await patch(`/Users/${body.id}`, { op: "replace", path: "active", value })).status;
  const state = async () => (await door.db.pool.query("select state from people where id = $1", [body.id])).rows[0].state;
  for (const [minutes, active] of [
    [10, false],
    [60, true],
    [15, false],
    [20, true],
    [16, false],
    [17, true],
    [70, false],
    [30, true],
    [31, false],
  ] as const) {
    at(minutes);
    expect([minutes, await set(active), await state()]).toEqual([minutes, 200, active ? "active" : "suspended"]);
  }
  at(40);
  expect(await set(true)).toBe(200);
  at(20);
  expect((await door.request("DELETE", `/Users/${body.id}`)).status).toBe(204);
  expect(await state()).not.toBe("active");
});

test("M1: members and nested groups come and go by a clock that is set back", async () => {
  at(0);
  const user = await door.request("POST", "/Users", { body: { schemas: [CORE_USER], userName: "member@example.com" } });
  const [outer, inner] = await Promise.all(
    ["outer", "inner"].map((displayName) => door.request("POST", "/Groups", { body: { schemas: [CORE_GROUP], displayName } })),
  );
  for (const value of [user.body.id, inner?.body.id]) {
    for (const [minutes, op] of [
      [10, "add"],
      [60, "remove"],
      [15, "add"],
      [16, "remove"],
      [17, "add"],
      [70, "remove"],
      [18, "add"],
    ] as const) {
      at(minutes);
      const operation = op === "add" ? { op, path: "members", value: [{ value }] } : { op, path: `members[value eq "${value}"]` };
      const { status } = await patch(`/Groups/${outer?.body.id}`, operation);
      const { body } = await door.request("GET", `/Groups/${outer?.body.id}`);
      const members = (body.members ?? []).map((member: { value: string }) => member.value);
      expect([minutes, status < 300, members.includes(value)]).toEqual([minutes, true, op === "add"]);
    }
  }
});
