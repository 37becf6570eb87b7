import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Completeness, Page, SourceRecord } from "../../connectors/contract.ts";
import { runSync } from "../../src/sync/run.ts";
import { put, world, worldSource } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { group, person, syncTold, syncWorld, testConnection, testKeyRing } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeEach(async () => {
  db = await testDatabase();
  await testConnection(db, ctx);
});
afterEach(() => db.drop());

const people = async () =>
  (await db.pool.query("select user_name::text, state, attributes->>'title' as title from people order by user_name")).rows;
const members = async () =>
  (
    await db.pool.query<{ line: string }>(
      `select g.display_name || ': ' || p.user_name as line from memberships m join groups g on g.id = m.group_id join people p on p.id = m.person_id
        where m.recorded_to is null and m.valid_to is null order by 1`,
    )
  ).rows.map(({ line }) => line);

const gone = (record: SourceRecord): SourceRecord => ({ ...record, attributes: {}, deleted: true });
const delta = (name: string, { add = [], remove = [] }: { add?: readonly string[]; remove?: readonly string[] }): SourceRecord => ({
  ...group(name, []),
  members: { add, remove },
});

/** A read of changes that returns exactly these pages, over a system of which nothing else is asked. */
function readPages(users: readonly (readonly SourceRecord[])[], groups: readonly (readonly SourceRecord[])[] = []) {
  const source = worldSource(world(), ["user", "group"]);
  return runSync(ctx, {
    db,
    keyRing: testKeyRing,
    connection: "corp",
    mode: "full",
    trigger: "cli",
    source: {
      ...source,
      // An answer without an end proves nothing about who is absent.
      async *readAll(kind): AsyncGenerator<Page, Completeness> {
        for (const records of kind === "user" ? users : groups) yield { records: [...records] };
        return { finalCursor: false, count: 0 };
      },
    },
  });
}

const first = () =>
  syncWorld(db, ctx, {
    world: world([person("ada", { title: "A" }), person("bob", { title: "B" }), group("staff", ["uid=ada"]), group("leads", [])]),
  });

describe("one read that says several things about one object", () => {
  test.each([
    ["over pages", [[person("ada", { title: "X" })], [person("ada", { title: "A" })]]],
    ["within a page", [[person("ada", { title: "X" }), person("ada", { title: "A" })]]],
  ])("what changes and changes back %s is unchanged", async (_where, pages) => {
    await first();
    expect(await readPages(pages)).toMatchObject({ plan: {} });
    expect((await people())[0]).toMatchObject({ title: "A" });
  });

  test("the last word counts, however many pages are decided side by side", async () => {
    await first();
    const titles = Array.from({ length: 12 }, (_, index) => `T${index}`);
    await readPages(titles.map((title) => [person("ada", { title })]));
    expect((await people())[0]).toMatchObject({ title: "T11" });
  });

  test("who is reported gone and then there again stays; who joins and is gone again never comes", async () => {
    await first();
    expect(await readPages([[gone(person("ada"))], [person("ada", { title: "A" })], [person("cyd")], [gone(person("cyd"))]])).toMatchObject(
      {
        plan: {},
      },
    );
    expect(await people()).toMatchObject([
      { user_name: "ada", state: "active" },
      { user_name: "bob", state: "active" },
    ]);
  });

  test("a group whose members change and change back keeps them", async () => {
    await first();
    expect(await readPages([], [[group("staff", ["uid=bob"])], [group("staff", ["uid=ada"])]])).toMatchObject({ plan: {} });
    expect(await members()).toEqual(["staff: ada"]);
  });
});

describe("members as changes", () => {
  test("those added join, those removed leave, and all others stay", async () => {
    await first();
    const summary = await readPages([], [[delta("staff", { add: ["uid=bob"] }), delta("leads", { add: ["uid=ada", "uid=cyd"] })]]);
    expect(summary).toMatchObject({ plan: { group: { update: 2 } } });
    expect(await members()).toEqual(["leads: ada", "staff: ada", "staff: bob"]);
    await readPages([[person("cyd")]], [[delta("staff", { remove: ["uid=ada", "uid=nobody"] })]]);
    expect(await members()).toEqual(["leads: ada", "leads: cyd", "staff: bob"]);
  });

  test("changes of one group over several records and pages add up, in their order", async () => {
    await first();
    await readPages(
      [],
      [
        [delta("staff", { add: ["uid=bob"] }), delta("staff", { remove: ["uid=ada"] })],
        [delta("staff", { add: ["uid=ada"], remove: ["uid=bob"] })],
        [delta("leads", { add: ["uid=ada"] })],
        [delta("leads", { add: ["uid=bob"], remove: ["uid=ada"] })],
      ],
    );
    expect(await members()).toEqual(["leads: bob", "staff: ada"]);
  });

  test("changes after the whole list, of a group that is new, and of members who are not there yet", async () => {
    await first();
    await readPages(
      [],
      [[group("new", ["uid=ada", "uid=bob", "uid=dee"])], [delta("new", { add: ["uid=cyd"], remove: ["uid=bob", "uid=dee"] })]],
    );
    expect(await members()).toEqual(["new: ada", "staff: ada"]);
    await readPages([[person("cyd"), person("dee")]]);
    expect(await members()).toEqual(["new: ada", "new: cyd", "staff: ada"]);
  });

  test("a repeated page changes nothing more", async () => {
    await first();
    const page = [delta("staff", { add: ["uid=bob"], remove: ["uid=ada"] })];
    await readPages([], [page, page]);
    expect(await members()).toEqual(["staff: bob"]);
    await readPages([], [page]);
    expect(await members()).toEqual(["staff: bob"]);
  });
});

describe("somebody who comes back", () => {
  test("is in the groups that listed them all the while, and in no other", async () => {
    await first();
    const all = (...users: SourceRecord[]) =>
      world([...users, person("bob", { title: "B" }), group("staff", ["uid=ada"]), group("leads", [])]);
    await syncWorld(db, ctx, { world: all() });
    expect(await members()).toEqual([]);
    await syncWorld(db, ctx, { world: all(person("ada")) });
    expect(await members()).toEqual(["staff: ada"]);
    await syncWorld(db, ctx, { world: world([person("bob", { title: "B" }), group("staff", []), group("leads", [])]) });
    await syncWorld(db, ctx, { world: world([person("ada"), person("bob", { title: "B" }), group("staff", []), group("leads", [])]) });
    expect(await members()).toEqual([]);
  });

  test("is in no group that left meanwhile", async () => {
    await first();
    const bob = person("bob", { title: "B" });
    await syncWorld(db, ctx, { world: world([bob, group("staff", ["uid=ada"]), group("leads", [])]) });
    await syncWorld(db, ctx, { world: world([bob, group("leads", [])]) });
    await syncWorld(db, ctx, { world: world([bob, person("ada"), group("leads", [])]) });
    expect(await members()).toEqual([]);
  });

  test("a group that comes back is in the groups that listed it all the while", async () => {
    await first();
    const nested = (...groups: SourceRecord[]) => world([person("ada", { title: "A" }), group("all", ["cn=staff"]), ...groups]);
    await syncWorld(db, ctx, { world: nested(group("staff", ["uid=ada"])) });
    await syncWorld(db, ctx, { world: nested() });
    await syncWorld(db, ctx, { world: nested(group("staff", ["uid=ada"])) });
    const { rows } = await db.pool.query(
      "select p.display_name || ': ' || c.display_name as line from nestings n join groups p on p.id = n.parent_group_id join groups c on c.id = n.child_group_id where n.recorded_to is null and n.valid_to is null",
    );
    expect(rows).toEqual([{ line: "all: staff" }]);
    expect(await members()).toEqual(["staff: ada"]);
  });
});

describe("a record that was refused", () => {
  test("for a login name that somebody had is taken in by the first run after it is free, without being told again", async () => {
    const all = world([person("ada"), person("bob")]);
    await syncWorld(db, ctx, { world: all });
    await db.pool.query('update connections set cursor = \'{"user": {"at": 1}}\'');
    const namesake: SourceRecord = {
      ...person("ada", { mail: "second@lab.test", number: "2" }),
      nativeId: "id-second",
      reference: "second",
    };
    await db.pool.query("update connections set mapping = jsonb_set(mapping, '{match}', '[\"employeeNumber\"]')");
    put(all, namesake);
    expect(await syncTold(db, ctx, { world: all, changes: [namesake] })).toMatchObject({ read: { user: { problems: 1 } } });
    // It is asked for again, and refused again, as long as the name is taken.
    expect(await syncTold(db, ctx, { world: all, changes: [] })).toMatchObject({ read: { user: { problems: 1 } } });
    const renamed: SourceRecord = { ...person("countess"), nativeId: "id-ada", reference: "uid=ada" };
    put(all, renamed);
    await syncTold(db, ctx, { world: all, changes: [renamed] });
    await syncTold(db, ctx, { world: all, changes: [] });
    expect((await people()).map((row) => row.user_name)).toEqual(["ada", "bob", "countess"]);
    expect(await syncTold(db, ctx, { world: all, changes: [] })).toMatchObject({ plan: {}, read: {} });
  });
});

describe("a change of members that tells nothing new", () => {
  const unchanged = async () =>
    (await db.pool.query("select version, encode(hash, 'hex') as hash from accounts where kind = 'group' order by id")).rows;

  test.each([
    ["names who is in already, and takes out who is not", [[delta("staff", { add: ["uid=ada"], remove: ["uid=bob"] })]]],
    ["is taken back on the next page", [[delta("staff", { add: ["uid=bob"] })], [delta("staff", { remove: ["uid=bob"] })]]],
  ])("and %s is no change of the group", async (_what, groups) => {
    await first();
    const before = await unchanged();
    expect(await readPages([], groups)).toMatchObject({
      state: "done",
      plan: {},
      applied: { applied: 0 },
    });
    expect(await unchanged()).toEqual(before);
    expect(await members()).toEqual(["staff: ada"]);
  });

  test("leaves what else is said of the group, and who comes with another page", async () => {
    await first();
    const idle = delta("staff", { add: ["uid=ada"] });
    expect(await readPages([], [[{ ...idle, attributes: { ...idle.attributes, description: "All" } }]])).toMatchObject({
      plan: { group: { update: 1 } },
    });
    expect(await readPages([], [[delta("staff", { add: ["uid=bob"] })], [idle], [delta("leads", { remove: ["uid=bob"] })]])).toMatchObject({
      plan: { group: { update: 1 } },
    });
    expect(await members()).toEqual(["staff: ada", "staff: bob"]);
  });
});
