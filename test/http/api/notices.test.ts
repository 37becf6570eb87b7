import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { giveGrant } from "../../../src/access/grants.ts";
import { tellPerson, type NoticeName } from "../../../src/directory/notices.ts";
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
  });
  const change = await door.request("PATCH", path, { token, body: { "grant.given": true } }).expect(200);
  expect(change.body.choices).toEqual([
    { notice: "grant.given", wanted: true },
    { notice: "grant.ends_soon", wanted: true },
    { notice: "token.stopped", wanted: true },
  ]);
  await door.request("PATCH", path, { token, body: { "password.changed": false } }).expect(422);
  const other = await door.newPerson({ unitId: there });
  await door.request("GET", `/people/${other}/notice-choices`, { token }).expect(404);
});
