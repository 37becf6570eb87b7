import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { PoolClient } from "pg";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

let door: Door;
let blocker: PoolClient;
beforeAll(async () => {
  door = await openDoor();
  blocker = await door.db.pool.connect();
});
afterAll(async () => {
  blocker.release();
  await door.close();
});

const make = async (path: string, body: object): Promise<string> => (await door.request("POST", path, { body })).body.id;
const patch = (group: string, operation: object) =>
  door.request("PATCH", `/Groups/${group}`, { body: { schemas: [PATCH_OP], Operations: [operation] } });

async function untilSomebodyWaits(): Promise<void> {
  const waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
  while ((await door.db.pool.query(waiting)).rowCount === 0) await new Promise((later) => setTimeout(later, 5));
}

describe("M1: who is being deleted does not join a group in the same moment", () => {
  test.each([
    ["added alone", (value: string) => ({ op: "add", path: "members", value: [{ value }] })],
    ["in a whole list", (value: string) => ({ op: "replace", path: "members", value: [{ value }] })],
  ])("%s", async (how, operation) => {
    const leaver = await make("/Users", { schemas: [USER], userName: `leaver ${how}` });
    const group = await make("/Groups", { schemas: [GROUP], displayName: `Left ${how}` });
    // As a DELETE does it, stopped before its end.
    await blocker.query("begin");
    await blocker.query("select from accounts where person_id = $1 for update", [leaver]);
    const joining = patch(group, operation(leaver)).then((answer) => answer);
    await untilSomebodyWaits();
    await blocker.query("update accounts set gone_at = now(), situation = 'deleted', version = version + 1 where person_id = $1", [leaver]);
    await blocker.query("commit");
    expect(await joining).toMatchObject({ status: 400, body: { scimType: "invalidValue", detail: expect.stringContaining(leaver) } });
    const { rows } = await door.db.pool.query("select from memberships where person_id = $1 and recorded_to is null", [leaver]);
    expect(rows).toEqual([]);
  });

  test("M1: who is being erased does not join either", async () => {
    const [erased, other] = await Promise.all(
      ["erased", "beside"].map((userName) => make("/Users", { schemas: [USER], userName: `${userName} joiner` })),
    );
    const group = await make("/Groups", { schemas: [GROUP], displayName: "Joined by the erased" });
    await blocker.query("begin");
    await blocker.query("select from people where id = $1 for update", [erased]);
    await blocker.query("delete from accounts where person_id = $1", [erased]);
    const joining = patch(group, { op: "add", path: "members", value: [{ value: erased }, { value: other }] }).then((answer) => answer);
    await untilSomebodyWaits();
    await blocker.query("update people set state = 'deleted', deleted_at = now(), version = version + 1 where id = $1", [erased]);
    await blocker.query("commit");
    expect(await joining).toMatchObject({
      status: 400,
      body: { scimType: "invalidValue", detail: expect.stringContaining(String(erased)) },
    });
    expect((await door.request("GET", `/Groups/${group}`)).body.members).toBeUndefined();
  });

  test("whoever is left after many joined and were deleted at once is still there", async () => {
    const group = await make("/Groups", { schemas: [GROUP], displayName: "Coming and going" });
    const people = await Promise.all(Array.from({ length: 20 }, (_, at) => make("/Users", { schemas: [USER], userName: `passing ${at}` })));
    const joins = people.map((value) => patch(group, { op: "add", path: "members", value: [{ value }] }));
    const leaves = people.map((id) => door.request("DELETE", `/Users/${id}`));
    const statuses = (await Promise.all([...joins, ...leaves])).map(({ status }) => status);
    expect(statuses.slice(0, 20).every((status) => status === 204 || status === 400)).toBe(true);
    expect(statuses.slice(20)).toEqual(Array(20).fill(204));
    expect((await door.request("GET", `/Groups/${group}`)).body.members).toBeUndefined();
  });
});
