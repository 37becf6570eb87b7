import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Reach } from "../../src/access/policy.ts";
import { listedPeople } from "../../src/access/reached-people.ts";
import { createCommonWords, type CommonWords } from "../../src/db/common-words.ts";
import { createStatementNames } from "../../src/db/statement-names.ts";
import { inTransaction } from "../../src/db/database.ts";
import { takeOverSearchTexts } from "../../src/db/search-texts.ts";
import type { PeopleFilters } from "../../src/directory/people-filters.ts";
import { listPeople, placeOf, type PeopleSort, type Place } from "../../src/directory/people-list.ts";
import { createUnit } from "../../src/directory/units.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

/** More than are ever gathered for being few, twice: those who are many must be walked to, too. */
const PEOPLE = 9000;

let db: TestDatabase;
let units: { id: string; path: string }[];
const names = createStatementNames();

/** Each third is a Lind, each seventh in the second unit, each hundredth suspended; one in three hundred is called Rare; the last of each thousand leads the others of it, and is led by the next. */
beforeAll(async () => {
  db = await testDatabase();
  const ctx = testContext();
  await inTransaction(db, ctx, async (work) => {
    const top = await createUnit(work, { name: "Top", type: "organization", parentId: null });
    const below = [
      await createUnit(work, { name: "A", type: "department", parentId: top }),
      await createUnit(work, { name: "B", type: "department", parentId: top }),
    ];
    units = (
      await work.sql.query<{ id: string; path: string }>("select id, path::text from units where id = any($1::uuid[]) order by name", [
        below,
      ])
    ).rows;
    await work.sql.query(
      `with made as (select n, gen_random_uuid() as id, case when n % 300 = 0 then 'Rare' else 'Given' end || n % 50 as given, case when n % 3 = 0 then 'Lind' else 'Berg' end as family from generate_series(1, $1::int) n),
         leaders as (select n, id from made where n % 1000 = 0),
         people as (insert into people (id, user_name, display_name, active, state, attributes, manager_id, created_at, modified_at)
           select made.id, 'p' || made.n, given || ' ' || family, made.n % 100 <> 0, case when made.n % 100 = 0 then 'suspended' else 'active' end,
             jsonb_build_object('userName', 'p' || made.n, 'displayName', given || ' ' || family),
             leader.id, now(), now() from made left join leaders leader on leader.n = (made.n / 1000 + 1) * 1000)
       insert into person_units (person_id, unit_id, valid_from, recorded_from) select id, ($2::uuid[])[case when n % 7 = 0 then 2 else 1 end], now(), now() from made`,
      [PEOPLE, units.map(({ id }) => id)],
    );
  });
  await takeOverSearchTexts(ctx, db);
  await db.pool.query("analyze people, person_units, person_search");
});
afterAll(() => db?.drop());

interface Asked {
  filters: PeopleFilters;
  sort: PeopleSort;
  reach: Partial<Reach>;
  /** What is true of everybody who is meant, of `p`. */
  naive: string;
}

const nowhere: Reach = { permission: "rollcall.people.view", everything: false, organisation: false, paths: [], self: null, teamOf: null };

/** Two pages of fifty, as somebody reads them; the same whether or not it is remembered how many the words lead to. */
async function pages(asked: Asked): Promise<{ lines: string[]; total: number | null }> {
  const common = createCommonWords();
  const told = await pagesBy(common, asked);
  expect(await pagesBy(common, asked)).toEqual(told);
  return told;
}

async function pagesBy(common: CommonWords, { filters, sort, reach }: Asked): Promise<{ lines: string[]; total: number | null }> {
  const page = (after: Place | undefined) =>
    listPeople(db.readPool, {
      filters,
      within: listedPeople({ ...nowhere, ...reach }, { from: 1 }),
      sort,
      limit: 50,
      after,
      count: true,
      at: new Date(),
      names,
      common,
    });
  const first = await page(undefined);
  const last = first.lines.at(-1);
  const second = last && first.lines.length === 50 ? await page(placeOf(last)) : { lines: [] };
  return { lines: [...first.lines, ...second.lines].map(({ userName }) => userName), total: first.total };
}

const everybody = (): Partial<Reach> => ({ organisation: true, paths: units.map(({ path }) => path) });
const inB = "exists (select from person_units pu join units u on u.id = pu.unit_id where pu.person_id = p.id and u.name = 'B')";

test("P6: whether they are few or many, walked to or gathered, the people who are listed are those who meet every filter, in their order", async () => {
  const [first, second] = units;
  if (!first || !second) throw new Error("the units are missing");
  const { rows } = await db.pool.query<{ id: string }>("select id from people where user_name = 'p2000'");
  const leader = rows[0]?.id ?? "";
  const all = everybody();
  const asked: Asked[] = [
    { filters: {}, sort: "name", reach: all, naive: "true" },
    { filters: { unitId: first.id }, sort: "userName", reach: all, naive: `not ${inB}` },
    { filters: { unitId: first.id, active: false }, sort: "-userName", reach: all, naive: `not ${inB} and not active` },
    { filters: { unitId: second.id, state: "suspended" }, sort: "name", reach: all, naive: `${inB} and state = 'suspended'` },
    { filters: { q: "lind" }, sort: "name", reach: { paths: [second.path] }, naive: `${inB} and display_name like '%Lind'` },
    { filters: { q: "given" }, sort: "-name", reach: { paths: [first.path] }, naive: `not ${inB} and display_name like 'Given%'` },
    { filters: { q: "rare" }, sort: "userName", reach: { paths: [first.path] }, naive: `not ${inB} and display_name like 'Rare%'` },
    {
      filters: { q: "lind given" },
      sort: "name",
      reach: { paths: [first.path], teamOf: leader, self: leader },
      naive: `display_name like 'Given%Lind' and (not ${inB} or substring(user_name::text from 2)::int < 2000)`,
    },
    {
      filters: { q: "given", unitId: first.id },
      sort: "name",
      reach: { teamOf: leader },
      naive: `not ${inB} and display_name like 'Given%' and substring(user_name::text from 2)::int < 2000`,
    },
    // Nothing leads to those who are few among the many whom the words lead to.
    {
      filters: { q: "given", active: false },
      sort: "name",
      reach: { everything: true },
      naive: "not active and display_name like 'Given%'",
    },
    { filters: { q: "berg", active: false }, sort: "-userName", reach: all, naive: "not active and display_name like '%Berg'" },
    { filters: { q: "given7", unitId: first.id }, sort: "-modified", reach: all, naive: `not ${inB} and display_name like 'Given7%'` },
  ];
  for (const each of asked) {
    const direction = each.sort.startsWith("-") ? "desc" : "asc";
    const key = each.sort.endsWith("userName")
      ? "lower(user_name::text)"
      : each.sort.endsWith("name")
        ? "lower(display_name)"
        : "modified_at";
    const { rows: naive } = await db.pool.query<{ userName: string }>(
      `select user_name::text as "userName" from people p where ${each.naive} order by ${key} ${direction}, id ${direction}`,
    );
    const { lines, total } = await pages(each);
    expect({ asked: each, total, lines }).toEqual({
      asked: each,
      total: naive.length,
      lines: naive.slice(0, 100).map(({ userName }) => userName),
    });
  }
});

test("P6: of words that many match, whoever is found comes by name, each once on the pages; of fewer, the best come first", async () => {
  const many = await pages({ filters: { q: "given" }, sort: "relevance", reach: everybody(), naive: "" });
  const { rows } = await db.pool.query<{ userName: string }>(
    `select user_name::text as "userName" from people where display_name like 'Given%' order by lower(display_name), id limit 100`,
  );
  expect(many.lines).toEqual(rows.map(({ userName }) => userName));
  const few = await pages({
    filters: { q: "p77" },
    sort: "relevance",
    reach: everybody(),
    naive: "",
  });
  expect(few.lines[0]).toBe("p77");
  expect(new Set(few.lines).size).toBe(few.lines.length);
  expect(few.total).toBe(111);
});

test("P6: by name comes whoever words lead to, under the name of this moment, whether or not it was taken over", async () => {
  const byName = async () => {
    const { rows } = await db.pool.query<{ userName: string }>(
      `select user_name::text as "userName" from people where display_name like '%Given%' order by lower(display_name), id limit 100`,
    );
    return rows.map(({ userName }) => userName);
  };
  const found = async () => (await pages({ filters: { q: "given" }, sort: "relevance", reach: everybody(), naive: "" })).lines;
  const call = (userName: string, name: string) =>
    db.pool.query(
      "update people set display_name = $2, attributes = attributes || jsonb_build_object('displayName', $2::text) where user_name = $1",
      [userName, name],
    );
  const before = await byName();
  await call("p7", "Aaron Given");
  await call("p9", "ZZ Given");
  expect(await found()).toEqual(await byName());
  await takeOverSearchTexts(testContext(), db);
  expect(await found()).toEqual(await byName());
  expect(await byName()).not.toEqual(before);
  // A name beside the profile is as good as one in it.
  await db.pool.query("update people set display_name = 'Aaa Given' where user_name = 'p11'");
  expect(await found()).toEqual(await byName());
  await takeOverSearchTexts(testContext(), db);
  const { rows } = await db.pool.query<{ name: string }>(
    "select name from person_search where person_id = (select id from people where user_name = 'p11')",
  );
  expect(rows).toEqual([{ name: "aaa given" }]);
});

test("P6: whoever is looked for by words with a long number in them is found by all of the word", async () => {
  const call = (userName: string, login: string) =>
    db.pool.query("update people set attributes = attributes || jsonb_build_object('nickName', $2::text) where user_name = $1", [
      userName,
      login,
    ]);
  await call("p21", "emp0048291x");
  await call("p22", "emp0048291y");
  await call("p23", "48291@corp.example");
  const found = async (q: string) => (await pages({ filters: { q }, sort: "userName", reach: everybody(), naive: "" })).lines;
  for (const takenOver of [false, true]) {
    if (takenOver) await takeOverSearchTexts(testContext(), db);
    expect(await found("emp0048291")).toEqual(["p21", "p22"]);
    expect(await found("0048291y")).toEqual(["p22"]);
    expect(await found("48291@corp")).toEqual(["p23"]);
    expect(await found("48291")).toEqual(["p21", "p22", "p23"]);
    expect(await found("x48291")).toEqual([]);
  }
});

test("P6: words that many match are looked for among the few who may be shown, or meet another filter, under the names of this moment", async () => {
  const { rows: leaders } = await db.pool.query<{ id: string }>("select id from people where user_name = 'p1000'");
  const team = { teamOf: leaders[0]?.id ?? "" };
  const ofTeam = "substring(user_name::text from 2)::int < 1000";
  const call = (userName: string, name: string) =>
    db.pool.query(
      "update people set display_name = $2, attributes = attributes || jsonb_build_object('displayName', $2::text) where user_name = $1",
      [userName, name],
    );
  const asked: Omit<Asked, "sort">[] = [
    { filters: { q: "lind" }, reach: team, naive: `${ofTeam} and display_name like '%Lind'` },
    { filters: { q: "berg", state: "suspended" }, reach: everybody(), naive: `state = 'suspended' and display_name like '%Berg'` },
    { filters: { q: "berg", state: "suspended" }, reach: team, naive: `${ofTeam} and state = 'suspended' and display_name like '%Berg'` },
  ];
  const same = async () => {
    for (const each of asked) {
      const { rows } = await db.pool.query<{ userName: string }>(
        `select user_name::text as "userName" from people p where ${each.naive} order by lower(display_name), id`,
      );
      const expected = rows.map(({ userName }) => userName);
      for (const sort of ["name", "relevance"] as const) {
        const { lines, total } = await pages({ ...each, sort });
        expect({ ...each, sort, total, lines }).toEqual({ ...each, sort, total: expected.length, lines: expected.slice(0, 100) });
      }
    }
  };
  await same();
  // One is a Lind no more, two have become one, of whom one is in the team; suspended ones are among them.
  for (const [userName, name] of [
    ["p3", "Given3 Berg"],
    ["p4", "Aaron Lind"],
    ["p2002", "Bea Lind"],
    ["p100", "Cai Lind"],
    ["p2100", "Dan Berg"],
  ] as const)
    await call(userName, name);
  await same();
  await takeOverSearchTexts(testContext(), db);
  await same();
});

test("P6: of words that many match, a unit's administrator and a leader find the same the first time and later, ranked where few are left and by name where many are", async () => {
  const [first, second] = units;
  const { rows: leaders } = await db.pool.query<{ id: string }>("select id from people where user_name = 'p2000'");
  if (!first || !second) throw new Error("the units are missing");
  const lind = "display_name like '%Lind'";
  // A name that stands beside the profile alone is not what somebody is ranked by.
  await db.pool.query(
    "update people set attributes = attributes || jsonb_build_object('displayName', display_name) where attributes->>'displayName' <> display_name",
  );
  const asked: (Omit<Asked, "sort"> & { ranked: boolean })[] = [
    // More than are gathered, fewer than that, and so few that no page is full.
    { filters: { q: "lind" }, reach: { paths: [first.path] }, naive: `not ${inB} and ${lind}`, ranked: false },
    { filters: { q: "lind" }, reach: { paths: [second.path] }, naive: `${inB} and ${lind}`, ranked: true },
    {
      filters: { q: "lind", active: false },
      reach: { paths: [first.path] },
      naive: `not ${inB} and ${lind} and not active`,
      ranked: false,
    },
    {
      filters: { q: "lind", managerId: leaders[0]?.id ?? "" },
      reach: { paths: [first.path] },
      naive: `not ${inB} and ${lind} and manager_id = (select id from people where user_name = 'p2000')`,
      ranked: true,
    },
    {
      filters: { q: "lind", unitId: second.id },
      reach: { paths: [], teamOf: leaders[0]?.id ?? "" },
      naive: `${inB} and ${lind} and substring(user_name::text from 2)::int < 2000`,
      ranked: true,
    },
    // More words lead to than are gathered at all.
    {
      filters: { q: "p" },
      reach: { teamOf: leaders[0]?.id ?? "" },
      naive: "user_name like 'p%' and substring(user_name::text from 2)::int < 2000",
      ranked: true,
    },
  ];
  const same = async (some = asked) => {
    for (const { ranked, ...each } of some) {
      const best = ranked && each.filters.q === "lind" ? "case when display_name = 'Lind' then 0 else 1 end," : "";
      const { rows } = await db.pool.query<{ userName: string }>(
        `select user_name::text as "userName" from people p where ${each.naive} order by ${best} lower(display_name), id`,
      );
      const expected = rows.map(({ userName }) => userName);
      const { lines, total } = await pages({ ...each, sort: "relevance" });
      expect({ ...each, total, lines }).toEqual({ ...each, total: expected.length, lines: expected.slice(0, 100) });
    }
  };
  await same();
  // In the team, of the one unit and of the other: the best match, which has the last name of all.
  for (const userName of ["p1201", "p1204"])
    await db.pool.query(
      "update people set display_name = 'Lind', attributes = attributes || jsonb_build_object('displayName', 'Lind'::text) where user_name = $1",
      [userName],
    );
  const { rows } = await db.pool.query<{ n: number }>(`select count(*)::int as n from people p where ${inB} and display_name = 'Lind'`);
  expect(rows).toEqual([{ n: 1 }]);
  // While texts wait to be taken over, the best of the many come first, too.
  await same(asked.filter(({ ranked }) => ranked));
  await takeOverSearchTexts(testContext(), db);
  await same();
});

test("P6: by name come all of a unit that is neither small nor large, forwards and backwards, under the names of this moment", async () => {
  const [, second] = units;
  if (!second) throw new Error("the unit is missing");
  const same = async (filters: PeopleFilters, naive: string) => {
    for (const sort of ["name", "-name"] as const) {
      const direction = sort === "-name" ? "desc" : "asc";
      const { rows } = await db.pool.query<{ userName: string }>(
        `select user_name::text as "userName" from people p where ${naive} order by lower(display_name) ${direction}, id ${direction}`,
      );
      const { lines, total } = await pages({ filters, sort, reach: everybody(), naive });
      const expected = rows.map(({ userName }) => userName);
      expect({ filters, sort, total, lines }).toEqual({ filters, sort, total: expected.length, lines: expected.slice(0, 100) });
    }
  };
  const all = async () => {
    await same({ unitId: second.id }, inB);
    await same({ unitId: second.id, active: true }, `${inB} and active`);
    await same({ unitId: second.id, q: "lind" }, `${inB} and display_name like '%Lind'`);
    await same({ unitId: second.id, state: "deactivated" }, "false");
  };
  await all();
  await db.pool.query("update people set display_name = 'ZZZ' || display_name where user_name in ('p7', 'p14')");
  await db.pool.query("update people set display_name = 'AAA' || display_name where user_name in ('p21', 'p28')");
  await all();
  await takeOverSearchTexts(testContext(), db);
  await all();
});
