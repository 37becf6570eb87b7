import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { deleteGroup } from "../../../src/access/group-changes.ts";
import { makeRequest } from "../../../src/access/requests.ts";
import { deleteRole } from "../../../src/access/role-removal.ts";
import { mergeUnits } from "../../../src/access/unit-merging.ts";
import type { Work } from "../../../src/db/database.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
let unit: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization" });
  unit = await door.newUnit({ name: "Sales", parentId: top });
});
afterAll(() => door?.close());

/** The statuses of the same request, sent several times at once. */
async function atOnce(
  method: string,
  path: string,
  body: (index: number) => unknown,
  headers: Record<string, string> = {},
): Promise<number[]> {
  const answers = await Promise.all(Array.from({ length: 4 }, (_, index) => door.request(method, path, { body: body(index), headers })));
  return answers.map(({ status }) => status).sort();
}
const once = (first: number, others: number) => [first, others, others, others].sort();

describe("two who do the same at the same time", () => {
  test("one of them makes the person, the role, the attribute, the unit of a code; the others are told that it is there", async () => {
    expect(await atOnce("POST", "/people", () => ({ userName: "twice", unitIds: [unit] }))).toEqual(once(201, 409));
    expect(await atOnce("POST", "/roles", () => ({ key: "twice", name: "Twice" }))).toEqual(once(201, 409));
    expect(await atOnce("POST", "/attributes", () => ({ key: "twice", type: "string" }))).toEqual(once(201, 409));
    expect(await atOnce("POST", "/units", () => ({ name: "Twice", code: "TWICE", parentId: top }))).toEqual(once(201, 409));
    expect(await atOnce("POST", "/unit-types", () => ({ key: "twice", name: "Twice" }))).toEqual(once(201, 409));
  });

  test("one key makes one thing, and everybody is told of it", async () => {
    const body = { displayName: "Once" };
    const headers = { "Idempotency-Key": "once" };
    const answers = await Promise.all([1, 2, 3].map(() => door.request("POST", "/groups", { body, headers })));
    expect(new Set(answers.map((answer) => (answer.body as { id: string }).id)).size).toBe(1);
  });

  test("of changes of the same version one is saved", async () => {
    const tag = { "If-Match": '"1"' };
    const made = async (path: string, body: object) => ((await door.request("POST", path, { body }).expect(201)).body as { id: string }).id;
    const department = await made("/units", { name: "Before", parentId: top });
    expect(await atOnce("PATCH", `/units/${department}`, (index) => ({ name: `Name ${index}` }), tag)).toEqual(once(200, 412));
    const person = await made("/people", { userName: "changed", unitIds: [unit] });
    const { version } = (await door.request("GET", `/people/${person}`)).body as { version: number };
    expect(await atOnce("PATCH", `/people/${person}`, (index) => ({ title: `Title ${index}` }), { "If-Match": `"${version}"` })).toEqual(
      once(200, 412),
    );
    const group = await made("/groups", { displayName: "Before" });
    expect(await atOnce("PATCH", `/groups/${group}`, (index) => ({ displayName: `Group ${index}` }), tag)).toEqual(once(200, 412));
    await made("/roles", { key: "changed", name: "Before" });
    expect(await atOnce("PATCH", "/roles/changed", (index) => ({ name: `Role ${index}` }), tag)).toEqual(once(200, 412));
    const rule = await made("/rules", { name: "changed", group: "Nobody yet", role: "rollcall-auditor", unit: "TWICE" });
    expect(await atOnce("PATCH", `/rules/${rule}`, (index) => ({ group: `Group ${index}` }), tag)).toEqual(once(200, 412));
    await made("/attributes", { key: "changed", type: "string" });
    expect(await atOnce("PATCH", "/attributes/changed", (index) => ({ description: `It ${index}` }), tag)).toEqual(once(200, 412));
    const grant = (
      await door.request("POST", "/grants", { body: { personId: person, role: "rollcall-auditor", unitId: unit, reason: "given" } })
    ).body as { id: string; version: number };
    const until = (index: number) => ({ until: `20${40 + index}-01-01T00:00:00Z`, reason: "shorter" });
    expect(await atOnce("PATCH", `/grants/${grant.id}`, until, { "If-Match": `"${grant.version}"` })).toEqual(once(200, 412));
  });

  test("P1: nobody comes to report to themselves because others are moved at the same moment, by hand, in one request or by a file", async () => {
    const reporting = { path: (id: string) => `/people/${id}`, headers: { "If-Match": "*" } };
    const manager = async (id: string) =>
      ((await door.request("GET", `/people/${id}`)).body as { manager: { id: string } | null }).manager?.id;
    for (let round = 0; round < 3; round += 1) {
      const logins = [0, 1, 2, 3].map((index) => `line-${round}-${index}`);
      const ids: string[] = [];
      for (const userName of logins)
        ids.push(((await door.request("POST", "/people", { body: { userName, unitIds: [unit] } }).expect(201)).body as { id: string }).id);
      const above = (index: number) => ({ managerId: ids[(index + 1) % 4] });
      const file = Buffer.from(`userName,manager\r\n${logins[3]},${logins[0]}\r\n`);
      const imported = (await door.request("POST", "/people/imports", { body: file, headers: { "Content-Type": "text/csv" } }).expect(201))
        .body as { id: string; hash: string };
      const operations = [{ method: "patch", path: reporting.path(ids[2] ?? ""), ifMatch: "*", body: above(2) }];
      const answers = await Promise.all([
        ...[0, 1].map((index) =>
          door.request("PATCH", reporting.path(ids[index] ?? ""), { headers: reporting.headers, body: above(index) }),
        ),
        door.request("POST", "/bulk", { body: { operations } }),
        door.request("POST", `/people/imports/${imported.id}/apply`, { body: { hash: imported.hash, reason: "begins" } }),
      ]);
      expect(answers.map(({ status }) => status).filter((status) => status === 200)).toEqual([200, 200, 200]);
      expect((await Promise.all(ids.map(manager))).filter((id) => id === undefined)).toHaveLength(1);
    }
  });

  test("a request is decided once, whoever decides", async () => {
    const [personId, requestedBy] = [await door.newPerson({ unitId: unit }), await door.newPerson({ unitId: unit })];
    const id = await door.work((work) =>
      makeRequest(work, { personId, requestedBy, role: "rollcall-auditor", unitId: unit, reason: "asked" }),
    );
    expect(await atOnce("POST", `/requests/${id}/approve`, () => ({ reason: "yes" }))).toEqual(once(200, 409));
    const { rows } = await door.db.pool.query("select from grants where person_id = $1", [personId]);
    expect(rows).toHaveLength(1);
  });

  test("an import is applied once", async () => {
    const file = Buffer.from("userName,displayName\r\nimported,Imported\r\n");
    const headers = { "Content-Type": "text/csv" };
    const { id, hash } = (await door.request("POST", "/people/imports", { body: file, headers }).expect(201)).body as {
      id: string;
      hash: string;
    };
    expect(await atOnce("POST", `/people/imports/${id}/apply`, () => ({ hash, reason: "begins" }))).toEqual(once(200, 409));
  });

  test("the unit that two empty or fill at once is left with nobody in a unit that is gone", async () => {
    const [a, b] = [await door.newUnit({ name: "A", parentId: top }), await door.newUnit({ name: "B", parentId: top })];
    const person = await door.newPerson({ unitId: a });
    const headers = { "If-Match": "*" };
    const [merged, put] = await Promise.all([
      door.request("POST", `/units/${a}/merge`, { headers, body: { into: b, reason: "merged" } }),
      door.request("PUT", `/people/${person}/units`, { headers, body: { unitIds: [a, unit] } }),
    ]);
    expect(merged.status).toBe(200);
    expect([200, 404]).toContain(put.status);
    const { rows } = await door.db.pool.query(
      "select u.name from person_units pu join units u on u.id = pu.unit_id where pu.person_id = $1 and pu.recorded_to is null and pu.valid_to is null and u.deleted_at is not null",
      [person],
    );
    expect(rows).toEqual([]);
  });

  test("A4: a grant, a request, a rule or a role that builds on a unit, role or group that is going at that moment waits, and is refused (404)", async () => {
    const [a, b] = [await door.newUnit({ name: "Goes", parentId: top }), await door.newUnit({ name: "Stays", parentId: top })];
    const personId = await door.newPerson({ unitId: b });
    const asker = await door.newToken({ personId });
    const groupId = ((await door.request("POST", "/groups", { body: { displayName: "Goes" } }).expect(201)).body as { id: string }).id;
    await door.request("POST", "/roles", { body: { key: "goes", name: "Goes" } }).expect(201);
    const reason = "at the same time";
    const grant = { role: "rollcall-auditor", unitId: b, reason };
    const goings: { go: (work: Work) => Promise<void>; asked: [path: string, body: object, token?: string][] }[] = [
      {
        go: (work) => mergeUnits(work, { unitId: a, into: b, reason }),
        asked: [
          ["/grants", { ...grant, personId, unitId: a }],
          ["/requests", { role: grant.role, unitId: a, reason }, asker],
        ],
      },
      {
        go: (work) => deleteRole(work, { key: "goes", revoke: false, reason }),
        asked: [
          ["/grants", { ...grant, personId, role: "goes" }],
          ["/requests", { role: "goes", unitId: b, reason }, asker],
          ["/rules", { name: "goes too", group: "Anybody", role: "goes", unit: "STAYS" }],
          ["/roles", { key: "heir", name: "Heir", inherits: ["goes"] }],
        ],
      },
      { go: (work) => deleteGroup(work, { groupId, revoke: false, reason }), asked: [["/grants", { ...grant, groupId }]] },
    ];
    for (const { go, asked } of goings) {
      const answers = await door.work(async (work) => {
        await go(work);
        const sent = asked.map(([path, body, token]) =>
          door.request("POST", path, { body, token: token ?? door.token }).then((each) => each),
        );
        // They have asked for everything else, and wait for this one to end.
        await waitingFor(asked.length);
        return sent;
      });
      expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(asked.map(() => 404));
    }
    const { rows } = await door.db.pool.query(
      `select g.grant_id from grants g join units u on u.id = g.unit_id join roles r on r.id = g.role_id left join groups on groups.id = g.group_id
       where g.recorded_to is null and coalesce(u.deleted_at, r.deleted_at, groups.deleted_at) is not null`,
    );
    expect(rows).toEqual([]);
  });
});

/** Until so many of this database's statements wait for a lock. */
async function waitingFor(count: number): Promise<void> {
  for (;;) {
    const { rows } = await door.db.pool.query<{ waiting: number }>(
      "select count(*)::int as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    if ((rows[0]?.waiting ?? 0) >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
