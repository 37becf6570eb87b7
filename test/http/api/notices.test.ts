import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { giveGrant } from "../../../src/access/grants.ts";
import { tellPerson, type NoticeName } from "../../../src/directory/notices.ts";
import { undeliverableEmail } from "../../../src/directory/undeliverable.ts";
import { keyRing } from "../scim/door.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let here: string;
let there: string;
beforeAll(async () => {
  door = await openApi();
  here = await door.newUnit();
  there = await door.newUnit();
});
afterAll(() => door.close());

const tell = async (personId: string, notice: NoticeName = "password.changed") => {
  await door.work((work) => tellPerson(work, { keyRing, personId, notice }));
  const { rows } = await door.db.pool.query<{ id: string }>(
    "select id from notices where person_id = $1 order by created_at desc, id limit 1",
    [personId],
  );
  return rows[0]?.id ?? "";
};
const fail = (id: string) =>
  door.db.pool.query(
    "update notices set state = 'failed', attempts = 1, problem = '550 no such mailbox', ended_at = created_at where id = $1",
    [id],
  );

test("G7: administrators see what was told to the people in their reach and how it went, never what stood in it", async () => {
  const [ours, theirs] = [await door.newPerson({ unitId: here }), await door.newPerson({ unitId: there })];
  const [id, foreign] = [await tell(ours), await tell(theirs)];
  await fail(id);
  const { token } = await door.newHolder({ role: "rollcall-help-desk", unitId: here });
  const { body } = await door.request("GET", "/notices?state=failed", { token }).expect(200);
  expect(body).toEqual({
    items: [
      expect.objectContaining({
        id,
        personId: ours,
        notice: "password.changed",
        state: "failed",
        problem: "550 no such mailbox",
        resendable: true,
      }),
    ],
    next: null,
  });
  expect(JSON.stringify(body)).not.toContain("v1.");
  const all = await door.request("GET", "/notices").expect(200);
  expect(all.body.items.map((each: { id: string }) => each.id)).toEqual(expect.arrayContaining([id, foreign]));
  const first = await door.request("GET", `/notices?limit=1`).expect(200);
  const second = await door.request("GET", `/notices?limit=1&cursor=${first.body.next}`).expect(200);
  expect(second.body.items[0].id).not.toBe(first.body.items[0].id);
});

test("what failed is sent again once, by who may, and never what was sent", async () => {
  const person = await door.newPerson({ unitId: here });
  const id = await tell(person);
  const { token } = await door.newHolder({ role: "rollcall-help-desk", unitId: here });
  const resend = (by?: string) =>
    door.request("POST", `/notices/${id}/resend`, { body: { reason: "the mailbox is there now" }, ...(by ? { token: by } : {}) });
  await resend().expect(409);
  await fail(id);
  const { token: elsewhere } = await door.newHolder({ role: "rollcall-help-desk", unitId: there });
  await resend(elsewhere).expect(404);
  expect((await resend(token).expect(200)).body).toMatchObject({ id, state: "queued", attempts: 0, resendable: false });
  await resend(token).expect(409);
  const { rowCount } = await door.db.pool.query("select from graphile_worker._private_jobs where payload ->> 'id' = $1", [id]);
  expect(rowCount).toBe(2);
  await fail(id);
  await door.work((work) => giveGrant(work, { personId: person, role: "rollcall-administrator", unit: here }));
  await resend(token).expect(403);
});

test("G7: a person opts in and out of optional messages, and of no other", async () => {
  const { token, personId } = await door.newHolder({ role: "rollcall-help-desk", unitId: here });
  const path = `/people/${personId}/notice-choices`;
  expect((await door.request("GET", path, { token }).expect(200)).body).toEqual({
    choices: [
      { notice: "grant.given", wanted: false },
      { notice: "grant.ends_soon", wanted: true },
      { notice: "token.stopped", wanted: true },
    ],
    version: expect.any(Number),
  });
  const { etag } = (await door.request("GET", path, { token }).expect(200)).headers;
  const change = await door.request("PATCH", path, { token, body: { "grant.given": true } }).expect(200);
  expect(change.body.choices).toEqual([
    { notice: "grant.given", wanted: true },
    { notice: "grant.ends_soon", wanted: true },
    { notice: "token.stopped", wanted: true },
  ]);
  const seen = { "If-Match": String(etag) };
  await door.request("PATCH", path, { token, headers: seen, body: { "token.stopped": false } }).expect(412);
  const now = { "If-Match": String(change.headers["etag"]) };
  await door.request("PATCH", path, { token, headers: now, body: { "grant.given": false } }).expect(200);
  await door.request("PATCH", path, { token, headers: seen, body: { "grant.given": true } }).expect(200);
  await door.request("PATCH", path, { token, body: { "password.changed": false } }).expect(422);
  const other = await door.newPerson({ unitId: there });
  await door.request("GET", `/people/${other}/notice-choices`, { token }).expect(404);
});

test("G7: a mail that comes back later has failed, once, and marks an address where there is nobody; never what it says of the address", async () => {
  const personId = await door.newPerson({ unitId: here });
  const address = "gone.away+1@example.com";
  await door.db.pool.query("update people set email = $2 where id = $1", [personId, address]);
  const { token } = await door.newHolder({ role: "rollcall-help-desk", unitId: here });
  const bounce = (id: string, body: object) => door.request("POST", `/notices/${id}/bounce`, { token, body });
  const sent = async (notice: NoticeName) => {
    const id = await tell(personId, notice);
    await door.db.pool.query("update notices set state = 'sent', content = null, ended_at = created_at where id = $1", [id]);
    return id;
  };
  const standing = () => undeliverableEmail(door.db.pool, { personId, keyRing });
  const nobody = { recipient: address, status: "5.1.1", diagnostic: `smtp; 550 <GONE.away+1@example.com>\r\nunknown` };
  const waiting = await tell(personId, "factors.reset");
  await bounce(waiting, nobody).expect(409);
  const full = await sent("password.changed");
  await bounce(full, { ...nobody, status: "4.2.2" }).expect(422);
  await bounce(full, { recipient: address, status: "5.2.2" }).expect(204);
  expect(await standing()).toBeUndefined();
  const id = await sent("sessions.ended");
  await bounce(id, nobody).expect(204);
  await bounce(id, nobody).expect(204);
  const problem = "It came back with 5.1.1: smtp; 550 <…> unknown";
  expect(await standing()).toMatchObject({ count: 1, problem });
  const { body } = await door.request("GET", `/notices?state=failed&person=${personId}`, { token }).expect(200);
  expect(body.items).toMatchObject([{ id, problem, resendable: false }, { id: full }]);
  const { rows } = await door.db.pool.query(
    "select data->>'id' as id from audit_events where name = 'notice.failed' and subject_id = $1 order by audit_events.id",
    [personId],
  );
  expect(rows.map((row) => row.id)).toEqual([full, id]);
  const elsewhere = await door.newHolder({ role: "rollcall-help-desk", unitId: there });
  await door.request("POST", `/notices/${id}/bounce`, { token: elsewhere.token, body: nobody }).expect(404);
});
