import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { takeOverSearchTexts } from "../../../src/db/search-texts.ts";
import { listPeople } from "../../../src/directory/people-list.ts";
import { testContext } from "../../helpers/database.ts";
import { openDoor, type Door } from "./door.ts";

let door: Door;
beforeAll(async () => {
  door = await openDoor();
  // Whoever leaves here leaves by the dozen.
  const most = { count: 1_000_000, share: 1, floor: 1_000_000 };
  await door.db.pool.query("update connections set limits = $1", [JSON.stringify({ disable: most, delete: most, window: most })]);
});
afterAll(() => door?.close());

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const takeOver = () => takeOverSearchTexts(testContext(), door.db);

const scim = async (filter: string): Promise<string[]> =>
  (await door.request("GET", `/Users?count=100&attributes=id&filter=${encodeURIComponent(filter)}`).expect(200)).body.Resources.map(
    ({ id }: { id: string }) => id,
  ).sort();

const words = async (q: string): Promise<string[]> => {
  const { lines, total } = await listPeople(door.db.pool, {
    filters: { q },
    within: { text: "true", values: [] },
    sort: "relevance",
    limit: 100,
    count: true,
    at: new Date(),
    names: door.db.statementNames,
    common: door.db.commonWords,
  });
  expect(total).toBe(lines.length);
  return lines.map(({ id }) => id).sort();
};

const NAMES = ["amber", "bramble", "umber", "lumberjack", "ember"] as const;
const name = fc.constantFrom(...NAMES);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("join" as const), name }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("rename" as const), name, which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("suspend" as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), which: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("take over" as const), nodes: fc.integer({ min: 1, max: 3 }) }) },
);

test("P6: whoever is searched for is found by what they are called now, whenever that was taken over, and by nothing else", async () => {
  let history = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
      // Each history has people of its own, who are told apart by a word.
      const mark = `history${history++}x`;
      const called = new Map<string, string>();
      // Gone for their client, but not from here.
      const left = new Map<string, string>();
      const profile = (displayName: string) => ({
        displayName: `${displayName} ${mark}`,
        emails: [{ value: `${displayName}@${mark}.example`, type: "work" }],
      });
      for (const [at, each] of steps.entries()) {
        const id = "which" in each ? [...called.keys()][each.which % Math.max(1, called.size)] : undefined;
        if (each.do === "take over") await Promise.all(Array.from({ length: each.nodes }, takeOver));
        else if (each.do === "join") {
          const { body } = await door
            .request("POST", "/Users", { body: { schemas: [USER], userName: `${mark}-${at}`, ...profile(each.name) } })
            .expect(201);
          called.set(body.id, each.name);
        } else if (id !== undefined && each.do === "leave") {
          await door.request("DELETE", `/Users/${id}`).expect(204);
          left.set(id, called.get(id) ?? "");
          called.delete(id);
        } else if (id !== undefined) {
          const value = each.do === "rename" ? profile(each.name) : { active: false };
          const body = { schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], Operations: [{ op: "replace", value }] };
          await door.request("PATCH", `/Users/${id}`, { body }).expect(200);
          if (each.do === "rename") called.set(id, each.name);
        }
        const meant = (holds: (value: string) => boolean, among = [...called]) =>
          among
            .filter(([, value]) => holds(value))
            .map(([one]) => one)
            .sort();
        const wanted = NAMES[at % NAMES.length] ?? "amber";
        expect(await scim(`displayName co "${wanted} ${mark}"`)).toEqual(meant((value) => value.endsWith(wanted)));
        expect(await scim(`emails.value eq "${wanted.toUpperCase()}@${mark}.example"`)).toEqual(meant((value) => value === wanted));
        expect(await scim(`emails[type eq "work" and value co "mber@${mark}"]`)).toEqual(meant((value) => value.endsWith("mber")));
        expect(await words(`${wanted} ${mark}`)).toEqual(meant((value) => value.includes(wanted), [...called, ...left]));
      }
    }),
    { numRuns: 25 },
  );
});

test("what was taken over goes with whoever it is of, even while it is taken over", async () => {
  const left = async (table: string) => (await door.db.pool.query(`select from ${table} where written like '%gonewhen%'`)).rowCount;
  await takeOver();
  for (let turn = 0; turn < 5; turn += 1) {
    const { rows } = await door.db.pool.query<{ id: string }>(
      `insert into people (id, user_name, attributes, created_at, modified_at) select gen_random_uuid(), 'gonewhen' || i, jsonb_build_object('userName', 'gonewhen' || i), now(), now() from generate_series(1, 500) i returning id`,
    );
    expect(rows).toHaveLength(500);
    await Promise.all([takeOver(), door.db.pool.query("delete from people where user_name like 'gonewhen%'")]);
    await takeOver();
    expect(await left("person_search")).toBe(0);
  }
});

test("what a client said of somebody is indexed beside them only while they are called something else, and found either way", async () => {
  const { pool } = door.db;
  const { body } = await door
    .request("POST", "/Users", { body: { schemas: [USER], userName: "twice.said", displayName: "Twice Said" } })
    .expect(201);
  const { body: another } = await door.request("POST", "/Users", { body: { schemas: [USER], userName: "another.said" } }).expect(201);
  const beside = async () => {
    await takeOver();
    const { rows } = await pool.query<{ name: string }>(
      "select a.attributes->>'userName' as name from account_search s join accounts a on a.id = s.account_id where a.native_id = any($1) order by 1",
      [[body.id, another.id]],
    );
    return rows.map((row) => row.name);
  };
  const rename = (displayName: string) =>
    pool.query("update people set attributes = attributes || jsonb_build_object('displayName', $2::text) where id = $1", [
      body.id,
      displayName,
    ]);
  const link = (personId: string) => pool.query("update accounts set person_id = $2 where native_id = $1", [body.id, personId]);
  expect(await beside()).toEqual([]);
  expect(await scim('displayName co "wice said"')).toEqual([body.id]);
  await rename("Somebody Else");
  expect(await beside()).toEqual(["twice.said"]);
  expect(await scim('displayName co "wice said"')).toEqual([body.id]);
  await rename("Twice Said");
  expect(await beside()).toEqual([]);
  await link(another.id);
  expect(await beside()).toEqual(["twice.said"]);
  await link(body.id);
  expect(await beside()).toEqual([]);
});

test("a part of what somebody is called is found by clients however it is written: with accents, in capitals, with what lists and JSON are written with", async () => {
  const names = [
    "Zoë Ångström-Müller",
    "ZOË ÅNGSTRÖM-MÜLLER",
    'Ben "Big, Tall" O\'Neil',
    "Ann [Legal], Dep\\Two",
    "100%_Sure Straße",
    "İrem Iğdır ŁUKASZ",
    "Ǆemal Kelvin \u212Aane",
    "naïve日本語Tokyo部",
  ];
  const wanted = names.flatMap((displayName, at) => {
    const text = `part ${displayName} end`;
    const letters = [...text];
    return letters.map((_, from) => ({ at, part: letters.slice(from, from + 7).join("") }));
  });
  const ids: string[] = [];
  for (const [at, called] of names.entries()) {
    const body = {
      schemas: [USER],
      userName: `parts-${at}`,
      displayName: `part ${called} end`,
      emails: [{ value: `${called} ${at}@parts.example` }],
    };
    ids.push((await door.request("POST", "/Users", { body }).expect(201)).body.id);
  }
  await takeOver();
  for (const { at, part } of wanted) {
    expect([part, await scim(`displayName co ${JSON.stringify(part)} and userName sw "parts-"`)]).toEqual([
      part,
      expect.arrayContaining([ids[at]]),
    ]);
  }
  for (const [at, called] of names.entries())
    expect([called, await scim(`emails.value co ${JSON.stringify(`${called} ${at}`)}`)]).toEqual([called, [ids[at]]]);
  expect(await scim('displayName co "STRÖM-MÜL"')).toEqual([ids[0], ids[1]].sort());
  const { rows } = await door.db.pool.query("select from pg_indexes where tablename = 'person_search' and indexdef like '%gin_trgm_ops%'");
  expect(rows).toHaveLength(1);
});

const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const value = fc.option(fc.constantFrom("amber", "umber"), { nil: undefined });
const profile = fc.record({
  userName: value,
  displayName: value,
  nickName: value,
  title: value,
  active: fc.boolean(),
  name: fc.option(fc.record({ givenName: value, middleName: value, familyName: value }), { nil: undefined }),
  emails: fc.option(fc.array(fc.record({ value }), { maxLength: 2 }), { nil: undefined }),
  phoneNumbers: fc.option(fc.array(fc.record({ value }), { maxLength: 2 }), { nil: undefined }),
  [ENTERPRISE]: fc.option(fc.record({ employeeNumber: value, department: value }), { nil: undefined }),
});

test("a change is noted for the search whenever a text that people are searched by changes", async () => {
  const { pool } = door.db;
  await takeOver();
  const { body } = await door.request("POST", "/Users", { body: { schemas: [USER], userName: "noted" } }).expect(201);
  const texts = async () =>
    (
      await pool.query<{ person: string; account: string }>(
        `select concat(person_search_text(p.attributes), '|', scim_search_text(p.attributes), '|', scim_search_emails(p.attributes)) as person,
           concat(scim_search_text(a.attributes), '|', scim_search_emails(a.attributes)) as account
         from people p join accounts a on a.person_id = p.id where p.id = $1`,
        [body.id],
      )
    ).rows[0];
  const noted = async (column: string) => (await pool.query(`delete from search_changes where ${column} is not null`)).rowCount !== 0;
  await fc.assert(
    fc.asyncProperty(profile, async (attributes) => {
      await takeOver();
      const before = await texts();
      await pool.query("update people set attributes = $2 where id = $1", [body.id, attributes]);
      await pool.query("update accounts set attributes = $2 where person_id = $1", [body.id, attributes]);
      const after = await texts();
      if (before?.person !== after?.person) expect(await noted("person_id")).toBe(true);
      if (before?.account !== after?.account) expect(await noted("account_id")).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test("what nobody is searched by is changed without a note", async () => {
  const { pool } = door.db;
  const { body } = await door.request("POST", "/Users", { body: { schemas: [USER], userName: "unnoted" } }).expect(201);
  await takeOver();
  const unsearched = [
    { op: "replace", path: "title", value: "Keeper" },
    { op: "replace", path: `${ENTERPRISE}:department`, value: "Harbour" },
    { op: "replace", path: "active", value: false },
  ];
  await door
    .request("PATCH", `/Users/${body.id}`, { body: { schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], Operations: unsearched } })
    .expect(200);
  expect((await pool.query("select from search_changes")).rowCount).toBe(0);
});
