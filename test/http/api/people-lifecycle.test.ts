import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { giveGrant } from "../../../src/access/grants.ts";
import { checkAccess } from "../../../src/access/effective.ts";
import { carryOutExpiry } from "../../../src/access/expiry.ts";
import { raiseBlocks } from "../../../src/directory/blocks.ts";
import { createRole } from "../../../src/access/roles.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization" });
});
afterAll(() => door?.close());

const because = { reason: "a reason" };
const act = (id: string, action: string, { token, ...body }: { token?: string; until?: string | null } = {}) =>
  door.request("POST", `/people/${id}/${action}`, { body: { ...because, ...body }, ...(token === undefined ? {} : { token }) });
const newConnection = async (name: string) => {
  const { rows } = await door.db.pool.query<{ id: number }>("insert into connections (name, connector) values ($1, 'test') returning id", [
    name,
  ]);
  return rows[0]?.id ?? 0;
};

describe("P5: the lifecycle of people by the administration API", () => {
  test("who says what they have read is refused where somebody else was faster; who says nothing is not", async () => {
    const id = await door.newPerson({ unitId: top });
    const read = String((await door.request("GET", `/people/${id}`).expect(200)).headers["etag"]);
    const given = (action: string, tag: string) =>
      door.request("POST", `/people/${id}/${action}`, { body: because, headers: { "If-Match": tag } });
    const { headers } = await given("suspend", read).expect(200);
    const { body } = await given("deactivate", read).expect(412);
    expect(body).toMatchObject({ field: "If-Match" });
    expect((await door.request("GET", `/people/${id}`).expect(200)).body.state).toBe("suspended");
    await given("activate", String(headers["etag"])).expect(200);
    await act(id, "deactivate").expect(200);
  });

  test("suspended, the person is out at once, token included; activated, in again", async () => {
    const id = await door.newPerson({ unitId: top });
    const token = await door.newToken({ personId: id });
    await door.request("GET", "/me", { token }).expect(200);
    const { body } = await act(id, "suspend").expect(200);
    expect(body).toMatchObject({ state: "suspended", active: false, blocks: [{ owner: "admin", reason: because.reason, liftable: true }] });
    await door.request("GET", "/me", { token }).expect(401);
    await act(id, "suspend").expect(409);
    const { body: back } = await act(id, "activate").expect(200);
    expect(back).toMatchObject({ state: "active", active: true, blocks: [] });
    await act(id, "activate").expect(409);
    const { rows } = await door.db.pool.query(
      "select name, reason from audit_events where subject_id = $1 and name like 'person.%ed' order by id",
      [id],
    );
    expect(rows[0]).toEqual({ name: "person.suspended", reason: because.reason });
    expect(rows).toContainEqual({ name: "person.activated", reason: because.reason });
  });

  test("deactivation blocks access, keeps who the person is and what they stand for, and can be taken back", async () => {
    const id = await door.newPerson({ unitId: top, userName: "leaver" });
    const report = await door.newPerson({ managerId: id });
    await door.work((work) => giveGrant(work, { personId: id, role: "rollcall-help-desk", unit: top }));
    const { body } = await act(id, "deactivate").expect(200);
    expect(body).toMatchObject({ state: "deactivated", userName: "leaver", units: [{ id: top }] });
    expect(await checkAccess(door.db.pool, { personId: id, permission: "rollcall.people.view", unitId: top, at: door.clock.now() })).toBe(
      false,
    );
    await act(id, "suspend").expect(409);
    await act(id, "expire", { until: null }).expect(409);
    const { body: kept } = await door.request("GET", `/people/${report}`).expect(200);
    expect(kept.manager).toMatchObject({ id });
    expect((await act(id, "activate").expect(200)).body).toMatchObject({ state: "active" });
  });

  test("an administrator can't lift what an origin decided, but sees why", async () => {
    const id = await door.newPerson({ unitId: top });
    const connectionId = await newConnection("hr");
    await door.work((work) =>
      raiseBlocks(work, [{ personId: id, owner: "origin", connectionId, effect: "suspended", reason: "not active at the source" }]),
    );
    const { body } = await act(id, "activate").expect(409);
    expect(body.detail).toContain("hr keeps them suspended: not active at the source");
    const { body: seen } = await door.request("GET", `/people/${id}`).expect(200);
    expect(seen.blocks).toMatchObject([{ owner: "origin", connection: "hr", liftable: false }]);
    await act(id, "suspend").expect(200);
    const { body: half } = await act(id, "activate").expect(200);
    expect(half).toMatchObject({ state: "suspended", blocks: [{ owner: "origin" }] });
    await act(id, "deactivate").expect(200);
    await act(id, "activate").expect(200);
    const { rows } = await door.db.pool.query<{ name: string; reason: string; data: unknown }>(
      "select name, reason, data from audit_events where subject_id = $1 and name like 'block.lifted' order by id",
      [id],
    );
    expect(rows).toEqual(Array.from({ length: 2 }, () => ({ name: "block.lifted", reason: because.reason, data: { owner: "admin" } })));
  });

  test("access ends at its instant, though nobody acts; a renewal lets the person in again", async () => {
    const id = await door.newPerson({ unitId: top });
    await door.work((work) => giveGrant(work, { personId: id, role: "rollcall-help-desk", unit: top }));
    const until = new Date(door.clock.now().getTime() + 3_600_000);
    const { body } = await act(id, "expire", { until: until.toISOString() }).expect(200);
    expect(body).toMatchObject({ state: "active", expiresAt: until.toISOString() });
    await act(id, "expire", { until: "2001-01-01T00:00:00Z" }).expect(422);
    const allowed = (at: Date) => checkAccess(door.db.pool, { personId: id, permission: "rollcall.people.view", unitId: top, at });
    expect([await allowed(new Date(until.getTime() - 1)), await allowed(until)]).toEqual([true, false]);
    door.clock.forward(3_600_001);
    await door.work(carryOutExpiry);
    expect((await door.request("GET", `/people/${id}`).expect(200)).body).toMatchObject({
      state: "suspended",
      blocks: [{ owner: "expiry", liftable: true }],
    });
    const { body: back } = await act(id, "activate").expect(200);
    expect(back).toMatchObject({ state: "active", expiresAt: null, blocks: [] });
    door.clock.set(new Date());
  });

  test("nobody suspends themselves, and the last administrator of the organisation stays", async () => {
    const first = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    for (const action of ["suspend", "deactivate"]) {
      await act(first.personId, action, { token: first.token }).expect(({ status }) => expect([403, 409]).toContain(status));
      await act(first.personId, action).expect(409);
    }
    const soon = new Date(door.clock.now().getTime() + 60_000).toISOString();
    await act(first.personId, "expire", { until: soon }).expect(409);
    const second = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    await act(first.personId, "suspend", { token: first.token }).expect(403);
    // Each removes the other at the same time: one of them is left.
    const race = await Promise.all([
      act(first.personId, "suspend", { token: second.token }),
      act(second.personId, "suspend", { token: first.token }),
    ]);
    expect(race.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test("a help desk suspends in its own unit only, and a reason is needed", async () => {
    const own = await door.newUnit({ name: "Own", parentId: top });
    const { token } = await door.newHolder({ role: "rollcall-help-desk", unitId: own });
    const inside = await door.newPerson({ unitId: own });
    const outside = await door.newPerson({ unitId: top });
    await door.request("POST", `/people/${inside}/suspend`, { token, body: {} }).expect(422);
    await act(inside, "suspend", { token }).expect(200);
    await act(outside, "suspend", { token }).expect(404);
    await door.request("PATCH", `/people/${inside}`, { token, headers: { "If-Match": "*" }, body: { title: "x" } }).expect(403);
  });

  test("P5: nobody shuts out, or lets in again, who holds more in Rollcall than they do; other modules' permissions, and less, don't protect", async () => {
    const [branch, other] = [await door.newUnit({ parentId: top }), await door.newUnit({ parentId: top })];
    const holding = async (role: string, unit: string, from?: Date) => {
      const personId = await door.newPerson({ unitId: branch });
      await door.work((work) => giveGrant(work, { personId, role, unit, ...(from ? { from } : {}) }));
      return personId;
    };
    const tomorrow = new Date(door.clock.now().getTime() + 86_400_000);
    await door.newHolder({ role: "rollcall-administrator", unitId: top });
    await door.work((work) => createRole(work, { key: "ward-nurse", name: "Ward nurse", permissions: ["register.keys.view"] }));
    const more = [
      await holding("rollcall-administrator", top),
      await holding("rollcall-unit-administrator", branch),
      await holding("rollcall-help-desk", other),
      await holding("rollcall-administrator", branch, tomorrow),
    ];
    const less = [await holding("rollcall-help-desk", branch), await holding("ward-nurse", top), await door.newPerson({ unitId: branch })];
    const { token } = await door.newHolder({ role: "rollcall-help-desk", unitId: branch });
    const until = new Date(tomorrow.getTime() + 1000).toISOString();
    for (const id of more) {
      for (const action of ["suspend", "deactivate"]) expect((await act(id, action, { token }).expect(403)).body.code).toBe("forbidden");
      await act(id, "expire", { token, until }).expect(403);
      // Nor is anybody let in again who would come back with more.
      await act(id, "expire", { token, until: null }).expect(403);
      await act(id, "suspend").expect(200);
      await act(id, "activate", { token }).expect(403);
      await act(id, "activate").expect(200);
    }
    for (const id of less) {
      await act(id, "expire", { token, until: null }).expect(200);
      await act(id, "suspend", { token }).expect(200);
      await act(id, "activate", { token }).expect(200);
    }
    const operations = [{ method: "post", path: `/people/${more[0]}/suspend`, body: because }];
    await door.request("POST", "/bulk", { token, body: { operations } }).expect(403);
    await act(more[1] ?? "", "suspend", {
      token: (await door.newHolder({ role: "rollcall-unit-administrator", unitId: branch })).token,
    }).expect(200);
    // A credential counts for what it is narrowed to.
    const service = await door.newToken({ permissions: ["rollcall.people.lifecycle"] });
    await act(more[2] ?? "", "suspend", { token: service }).expect(403);
    await door.request("POST", `/people/${more[0]}/sessions/end`, { token, body: because }).expect(200);
  });
});
