import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { lockRules } from "../../../src/access/rule-lock.ts";
import { inTransaction, type Sql } from "../../../src/db/database.ts";
import { testContext } from "../../helpers/database.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

const ANY = { "If-Match": "*" };
const REASON = { reason: "at the same time" };

let door: ApiDoor;
let top: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization", code: "company" });
  await door.newHolder({ role: "rollcall-administrator", unitId: top });
});
afterAll(() => door?.close());

const made = async (path: string, body: object) => ((await door.request("POST", path, { body }).expect(201)).body as { id: string }).id;
const saveRule = (id: string, condition: string) => door.request("PATCH", `/rules/${id}`, { headers: ANY, body: { condition } });

async function untilWaiting(count: number): Promise<void> {
  for (;;) {
    const { rows } = await door.db.pool.query<{ count: number }>(
      "select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    if ((rows[0]?.count ?? 0) >= count) return;
    await sleep(20);
  }
}

/**
 * Sends requests that all have to wait for a lock, each once the one before it waits, and then lets go of it. Flows that wait for each
 * other in a circle from there on are told "busy" (503). Returns their statuses.
 */
async function meeting(lock: (sql: Sql) => Promise<unknown>, requests: readonly ReturnType<ApiDoor["request"]>[]): Promise<number[]> {
  const sent: Promise<{ status: number }>[] = [];
  await inTransaction(door.db, testContext(), async ({ sql }) => {
    await lock(sql);
    for (const request of requests) {
      sent.push(request.then(({ status }) => ({ status })));
      await untilWaiting(sent.length);
    }
  });
  return (await Promise.all(sent)).map(({ status }) => status);
}

test("a rule is saved while people are deactivated, edited and moved: none waits for another in a circle", async () => {
  const rule = await made("/rules", { name: "everybody", condition: "person.active", role: "rollcall-auditor", unit: "company" });
  const change = (method: string, path: string, body: object) => (id: string) =>
    door.request(method, `/people/${id}${path}`, { headers: ANY, body });
  const changes = [
    change("POST", "/deactivate", REASON),
    change("PATCH", "", { title: "Clerk" }),
    change("PUT", "/units", { unitIds: [top] }),
  ];
  for (const [index, changed] of changes.entries()) {
    const person = await door.newPerson();
    const statuses = await meeting((sql) => lockRules(sql, "shared"), [saveRule(rule, `person.active && ${index} >= 0`), changed(person)]);
    expect(statuses).toEqual([200, 200]);
  }
});

test("a rule is saved while an import is applied: none waits for the other in a circle", async () => {
  const rule = await made("/rules", { name: "imported", condition: "person.active", role: "rollcall-auditor", unit: "company" });
  await made("/people", { userName: "in-the-file", unitIds: [top] });
  const file = Buffer.from("userName,title\r\nin-the-file,Clerk\r\n");
  const { id, hash } = (await door.request("POST", "/people/imports", { body: file, headers: { "Content-Type": "text/csv" } }).expect(201))
    .body as { id: string; hash: string };
  const apply = door.request("POST", `/people/imports/${id}/apply`, { body: { hash, ...REASON } });
  const statuses = await meeting((sql) => lockRules(sql, "shared"), [saveRule(rule, "person.active && 1 > 0"), apply]);
  expect(statuses).toEqual([200, 200]);
});

test("somebody is deleted while an import that names them is applied: none waits for the other in a circle", async () => {
  const person = await made("/people", { userName: "goes-for-good", unitIds: [top] });
  await door.request("POST", `/people/${person}/deactivate`, { body: REASON }).expect(200);
  const file = Buffer.from("userName,title\r\ngoes-for-good,Clerk\r\n");
  const { id, hash } = (await door.request("POST", "/people/imports", { body: file, headers: { "Content-Type": "text/csv" } }).expect(201))
    .body as { id: string; hash: string };
  const apply = door.request("POST", `/people/imports/${id}/apply`, { body: { hash, ...REASON } });
  const erase = door.request("DELETE", `/people/${person}`, { body: { confirm: "goes-for-good", force: true, ...REASON } });
  const row = (sql: Sql) => sql.query("select from people where id = $1 for update", [person]);
  expect(await meeting(row, [erase, apply])).toEqual([200, 404]);
});

test("a rule is saved as it was shown while another is saved: none waits for another in a circle", async () => {
  const shown = { name: "shown", condition: "person.active", role: "rollcall-help-desk", unit: "company" };
  const other = await made("/rules", { ...shown, name: "beside" });
  const preview = await made("/rules/preview", shown);
  const statuses = await meeting(
    (sql) => lockRules(sql, "shared"),
    [door.request("POST", `/previews/${preview}/apply`), saveRule(other, "person.active && true")],
  );
  expect(statuses).toEqual([204, 200]);
});

test("bulk requests take what they lock in the order of all others, whatever the order of their operations", async () => {
  const [first, second] = [await door.newPerson(), await door.newPerson()];
  const { personId: administrator } = await door.newHolder({ role: "rollcall-administrator", unitId: top });
  await door.request("POST", "/roles", { body: { key: "bulky", name: "Bulky", permissions: ["rollcall.units.view"] } }).expect(201);
  const change = (path: string, body: object) => ({ method: "patch", path, body, ifMatch: "*" });
  const bulk = (...operations: object[]) => door.request("POST", "/bulk", { body: { operations } });
  const [one, other] = [change(`/people/${first}`, { title: "A" }), change(`/people/${second}`, { title: "B" })];
  const rows = (ids: string[]) => (sql: Sql) => sql.query("select from people where id = any($1::uuid[]) for update", [ids]);
  expect(await meeting(rows([first, second]), [bulk(one, other), bulk(other, one)])).toEqual([200, 200]);
  const edit = change(`/people/${administrator}`, { title: "A" });
  const statuses = await meeting(rows([administrator]), [
    bulk(edit, change("/roles/bulky", { name: "Bulkier" })),
    door.request("POST", `/people/${administrator}/suspend`, { body: REASON }),
  ]);
  expect(statuses).toEqual([200, 200]);
});
