import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createRole } from "../../src/access/roles.ts";
import { createRule } from "../../src/access/rules.ts";
import { inTransaction } from "../../src/db/database.ts";
import { put, remove, world } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { group, person, syncWorld, testConnection, unit } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeEach(async () => {
  db = await testDatabase();
  await testConnection(db, ctx);
});
afterEach(() => db.drop());

async function directory() {
  const { rows: people } = await db.pool.query(
    "select user_name, state, title, manager, units from (select p.user_name, p.state, p.attributes->>'title' as title, m.user_name as manager, (select array_agg(u.code::text order by u.code) from person_units pu join units u on u.id = pu.unit_id where pu.person_id = p.id and pu.recorded_to is null and pu.valid_to is null) as units from people p left join people m on m.id = p.manager_id) x order by user_name",
  );
  const { rows: members } = await db.pool.query(
    "select g.display_name as group, p.user_name as member from memberships m join groups g on g.id = m.group_id join people p on p.id = m.person_id where m.recorded_to is null and m.valid_to is null union all select g.display_name, c.display_name from nestings n join groups g on g.id = n.parent_group_id join groups c on c.id = n.child_group_id where n.recorded_to is null and n.valid_to is null order by 1, 2",
  );
  return { people, members: members.map((row) => `${row.group}: ${row.member}`) };
}

describe("a run", () => {
  const start = () =>
    world([
      unit("hq"),
      unit("sales", "hq"),
      person("ada", { title: "Engineer", units: ["sales"] }),
      person("bob", { manager: "uid=ada" }),
      person("cyd", { manager: "uid=dee" }),
      person("dee"),
      person("eve"),
      group("staff", ["uid=ada", "uid=bob", "cn=leads"]),
      group("leads", ["uid=dee", "uid=ghost"]),
    ]);

  test("M2, M3: people, groups, units, managers and members arrive", async () => {
    const summary = await syncWorld(db, ctx, { world: start() });
    expect(summary).toMatchObject({
      state: "done",
      plan: { user: { create: 5 }, group: { create: 2 }, unit: { create: 2 } },
      applied: { applied: 9, refused: 0, failed: 0 },
    });
    const found = await directory();
    expect(found.people).toMatchObject([
      { user_name: "ada", title: "Engineer", units: ["sales"] },
      { user_name: "bob", manager: "ada" },
      { user_name: "cyd", manager: "dee" },
      { user_name: "dee" },
      { user_name: "eve" },
    ]);
    expect(found.members).toEqual(["leads: dee", "staff: ada", "staff: bob", "staff: leads"]);
    const { rows } = await db.pool.query("select subpath(path, 0, 1)::text <> path::text as nested from units where code = 'sales'");
    expect(rows).toEqual([{ nested: true }]);
  });

  test("M3: whoever is named by somebody who is applied at the same moment is found all the same", async () => {
    const ids = Array.from({ length: 420 }, (_, number) => `p${number}`);
    // Each is managed by somebody of another transaction, and each group is in one of another.
    const managerOf = (number: number) => `uid=${ids[(number + 200) % ids.length]}`;
    const groups = Array.from({ length: 120 }, (_, number) => group(`g${number}`, [`uid=p${number}`, `cn=g${(number + 60) % 120}`]));
    const source = world([...ids.map((id, number) => person(id, { manager: managerOf(number) })), ...groups]);
    source.pageSize = 100;
    await syncWorld(db, ctx, { world: source });
    const { rows } = await db.pool.query(
      `select (select count(*)::int from people p join people m on m.id = p.manager_id) as managed, (select count(*)::int from memberships) as members,
         (select count(*)::int from nestings) as nested, (select count(*)::int from pending_references) as waiting`,
    );
    expect(rows).toEqual([{ managed: 420, members: 120, nested: 120, waiting: 0 }]);
  });

  test("a second run with nothing changed plans and writes nothing", async () => {
    const source = start();
    await syncWorld(db, ctx, { world: source });
    const before = await db.pool.query(
      "select (select max(xmin::text::bigint) from accounts) a, (select max(xmin::text::bigint) from people) p, (select max(xmin::text::bigint) from memberships) m",
    );
    const summary = await syncWorld(db, ctx, { world: source });
    expect(summary).toMatchObject({ state: "done", plan: {}, applied: { applied: 0 } });
    const after = await db.pool.query(
      "select (select max(xmin::text::bigint) from accounts) a, (select max(xmin::text::bigint) from people) p, (select max(xmin::text::bigint) from memberships) m",
    );
    expect(after.rows).toEqual(before.rows);
  });

  test("when only a plan is asked for and there is nothing to do, nobody is asked to approve nothing", async () => {
    const source = start();
    await syncWorld(db, ctx, { world: source });
    const summary = await syncWorld(db, ctx, { world: source, planOnly: true });
    expect(summary).toMatchObject({ state: "done", plan: {}, applied: { applied: 0 } });
    const { rows } = await db.pool.query("select p.state, r.state as run from plans p join runs r on r.id = p.run_id where p.id = $1", [
      summary.planId,
    ]);
    expect(rows).toEqual([{ state: "applied", run: "done" }]);
  });

  test("M3, M4: a change, a move, a leaver and a joiner", async () => {
    const source = start();
    await syncWorld(db, ctx, { world: source });
    put(source, person("ada", { title: "Lead", units: ["hq"] }));
    remove(source, "user", "id-bob");
    put(source, person("ghost"));
    put(source, group("staff", ["uid=ada", "uid=eve", "cn=leads"]));
    const summary = await syncWorld(db, ctx, { world: source });
    expect(summary.plan).toMatchObject({ user: { update: 1, delete: 1, create: 1 } });
    const found = await directory();
    expect(found.people).toMatchObject([
      { user_name: "ada", title: "Lead", units: ["hq"] },
      { user_name: "bob", state: "deactivated" },
      { user_name: "cyd" },
      { user_name: "dee" },
      { user_name: "eve" },
      { user_name: "ghost", state: "active" },
    ]);
    expect(found.members).toEqual(["leads: dee", "leads: ghost", "staff: ada", "staff: eve", "staff: leads"]);
  });

  test("M3: conditions follow at once what units and groups are called, and groups that come into others", async () => {
    const source = start();
    await syncWorld(db, ctx, { world: source });
    await inTransaction(db, ctx, async (work) => {
      await createRole(work, { key: "visitor", name: "Visitor", permissions: [] });
      const given = { role: "visitor", unit: "hq" };
      await createRule(work, { name: "by unit", condition: '"market" in person.units', ...given });
      await createRule(work, { name: "by group", condition: '"board" in person.groups', ...given });
    });
    const holders = async () =>
      (
        await db.pool.query<{ name: string }>(
          "select r.name || ': ' || p.user_name::text as name from grants g join rules r on r.id = g.rule_id join people p on p.id = g.person_id where g.recorded_to is null and g.valid_to is null order by 1",
        )
      ).rows.map(({ name }) => name);
    expect(await holders()).toEqual([]);
    put(source, { ...unit("sales", "hq"), attributes: { ou: "market" } });
    put(source, { ...group("leads", ["uid=dee", "uid=ghost"]), attributes: { cn: "board" } });
    await syncWorld(db, ctx, { world: source });
    expect(await holders()).toEqual(["by group: dee", "by unit: ada"]);
    put(source, unit("sales", "hq"));
    put(source, { ...group("leads", ["uid=dee", "uid=ghost"]), attributes: { cn: "leads" } });
    put(source, { ...group("staff", ["uid=ada", "uid=bob", "cn=leads"]), attributes: { cn: "board" } });
    await syncWorld(db, ctx, { world: source });
    expect(await holders()).toEqual(["by group: ada", "by group: bob", "by group: dee"]);
    put(source, { ...group("staff", ["uid=ada", "uid=bob"]), attributes: { cn: "board" } });
    await syncWorld(db, ctx, { world: source });
    expect(await holders()).toEqual(["by group: ada", "by group: bob"]);
    put(source, { ...group("staff", ["uid=ada", "uid=bob", "cn=leads"]), attributes: { cn: "board" } });
    await syncWorld(db, ctx, { world: source });
    expect(await holders()).toEqual(["by group: ada", "by group: bob", "by group: dee"]);
    const wide = { count: 10_000, share: 1, floor: 10_000 };
    await db.pool.query("update connections set limits = $1", [JSON.stringify({ delete: wide, window: wide, members: wide, shrink: 1 })]);
    remove(source, "group", "id-staff");
    expect(await syncWorld(db, ctx, { world: source })).toMatchObject({ state: "done" });
    expect(await holders()).toEqual([]);
  });

  test("B7: who gets a role by a condition is measured from the change at the source", async () => {
    const source = start();
    await syncWorld(db, ctx, { world: source });
    await inTransaction(db, ctx, async (work) => {
      await createRole(work, { key: "lead", name: "Lead", permissions: [] });
      await createRule(work, { name: "leads", condition: 'person.profile.title == "Lead"', role: "lead", unit: "hq" });
    });
    await db.pool.query("insert into connections (name, connector, policy) values ('app', 'scim', '{\"provision\": {}}')");
    const changedAt = new Date("2026-01-01T08:00:00Z");
    put(source, { ...person("ada", { title: "Lead" }), changedAt });
    await syncWorld(db, ctx, { world: source });
    const { rows } = await db.pool.query(
      "select source_changed_at as at, projections.version from projections join people p on p.id = person_id where user_name = 'ada'",
    );
    expect(rows).toEqual([{ at: changedAt, version: 1 }]);
  });

  test("somebody who comes back is the same person again", async () => {
    const source = start();
    await syncWorld(db, ctx, { world: source });
    remove(source, "user", "id-eve");
    await syncWorld(db, ctx, { world: source });
    put(source, person("eve"));
    const summary = await syncWorld(db, ctx, { world: source });
    expect(summary.plan).toMatchObject({ user: { link: 1 } });
    const { rows } = await db.pool.query("select state, count(*) over ()::int as n from people where user_name = 'eve'");
    expect(rows).toEqual([{ state: "active", n: 1 }]);
  });
});
