import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { giveGrant } from "../../../src/access/grants.ts";
import { createRule } from "../../../src/access/rules.ts";
import { setPersonExpiry } from "../../../src/directory/person-expiry.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

const ANY = { "If-Match": "*" };
const ROLE = "rollcall-administrator";

let door: ApiDoor;
let top: string;
let chief: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization", code: "ORG" });
  await door.work((work) => createRule(work, { name: "chiefs", condition: 'person.profile.title == "Chief"', role: ROLE, unit: "ORG" }));
  chief = (await door.request("POST", "/people", { body: { userName: "chief", title: "Chief", unitIds: [top] } }).expect(201)).body.id;
});
afterAll(() => door?.close());

const titled = (title: string) => door.request("PATCH", `/people/${chief}`, { headers: ANY, body: { title } });

test("A6: an edit or an import by which a condition takes the last administrator's rights is refused", async () => {
  await titled("Clerk").expect(409);
  const headers = { "Content-Type": "text/csv" };
  const { body: preview } = await door.request("POST", "/people/imports", { headers, body: Buffer.from("userName,title\nchief,Clerk\n") });
  const applied = await door.request("POST", `/people/imports/${preview.id}/apply`, { body: { hash: preview.hash, reason: "tried" } });
  expect([applied.status, applied.body.detail]).toEqual([409, expect.stringContaining("administrator")]);
  const operations = [{ method: "patch", path: `/people/${chief}`, body: { title: "Clerk" }, ifMatch: "*" }];
  await door.request("POST", "/bulk", { body: { operations } }).expect(409);
  await door.request("PATCH", `/people/${chief}`, { headers: ANY, body: { nickName: "Chiefy" } }).expect(200);
});

test("A6: the one administrator who is left is found behind any number of others whose time is over", async () => {
  const until = new Date(door.clock.now().getTime() + 60_000);
  for (let count = 0; count < 60; count++) {
    const personId = await door.newPerson();
    await door.work(async (work) => {
      await giveGrant(work, { personId, role: ROLE, unit: "ORG" });
      await setPersonExpiry(work, { personId, until, reason: "for the day" });
    });
  }
  door.clock.forward(120_000);
  await titled("Clerk").expect(409);
  const left = "ffffffff-ffff-4fff-bfff-ffffffffffff";
  await door.db.pool.query(
    "insert into people (id, user_name, attributes, created_at, modified_at) values ($1, 'left', '{}', now(), now())",
    [left],
  );
  await door.db.pool.query(
    "insert into lifecycle_periods (person_id, state, reason, valid_from, recorded_from) values ($1, 'active', 'joined', now(), now())",
    [left],
  );
  await door.work((work) => giveGrant(work, { personId: left, role: ROLE, unit: "ORG" }));
  await titled("Clerk").expect(200);
  await door.request("POST", `/people/${left}/suspend`, { body: { reason: "tried" } }).expect(409);
});
