import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { effectiveAccess } from "../../src/access/effective.ts";
import { giveGrant } from "../../src/access/grants.ts";
import { itemsOf } from "../../src/access/preview-items.ts";
import type { ComputedPreview } from "../../src/access/preview.ts";
import { createRole } from "../../src/access/roles.ts";
import { createRule } from "../../src/access/rules.ts";
import { inTransaction } from "../../src/db/database.ts";
import { raiseBlocks } from "../../src/directory/blocks.ts";
import { createUnit } from "../../src/directory/units.ts";
import { approvePlan } from "../../src/sync/approve.ts";
import { mappingSchema } from "../../src/connections/definition.ts";
import { leftOutOf } from "../../src/sync/preview-coverage.ts";
import { previewMapping } from "../../src/sync/preview-mapping.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { world } from "../helpers/memory-source.ts";
import { person, syncWorld, testConnection, UNGUARDED } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db?.drop());

test("B3: a preview says what of the mapping it leaves out, and only that", () => {
  const user = { attributes: { userName: "account.uid", units: "list(account.units)" } };
  const before = mappingSchema.parse({ user, group: { attributes: { displayName: "account.cn" } } });
  const changed = (change: object) => leftOutOf(before, mappingSchema.parse({ ...before, ...change }));
  expect(changed({})).toEqual([]);
  expect(changed({ user: { attributes: { ...user.attributes, title: "account.title" } } })).toEqual(["newcomers"]);
  expect(changed({ user: { attributes: { userName: "account.uid" } } })).toEqual(["newcomers"]);
  expect(changed({ unit: { attributes: { name: "account.ou" } } })).toEqual(["units"]);
  expect(changed({ group: { scope: "account.cn != 'all'", attributes: { displayName: "account.cn" } } })).toEqual(["groups"]);
  expect(changed({ user: { ...user, scope: "account.works" } })).toEqual(["newcomers", "groups"]);
  expect(changed({ employment: { readyDaysBefore: 3 } })).toEqual(["employment"]);
  expect(leftOutOf(null, before)).toEqual(["newcomers", "groups"]);
});

async function held(): Promise<Set<string>> {
  const { rows } = await db.pool.query<{ id: string; name: string }>("select id, user_name as name from people");
  const all = new Set<string>();
  for (const { id, name } of rows)
    for (const { permission } of await effectiveAccess(db.pool, { personId: id, at: ctx.now() })) all.add(`${name} ${permission}`);
  return all;
}

async function saidBy(computed: ComputedPreview): Promise<string[]> {
  const { rows } = await db.pool.query<{ id: string; name: string }>("select id, user_name as name from people");
  const nameOf = new Map(rows.map(({ id, name }) => [id, name]));
  return computed.parts
    .flatMap((part) => itemsOf(part, { units: computed.units, from: 0, most: 1000 }))
    .map((item) => `${item.change} ${nameOf.get(item.personId)} ${item.permission}`)
    .sort();
}

test("B3: what a mapping would do to access is what the next run does: by attributes, by who is active, by who is in the scope", async () => {
  await inTransaction(db, ctx, async (work) => {
    await work.sql.query(
      "insert into permissions (key, module, resource, action) select 'test.door.' || a, 'test', 'door', a from unnest(array['open', 'close']) a",
    );
    await createUnit(work, { name: "Top", code: "top" });
    for (const action of ["open", "close"])
      await createRole(work, { key: `door-${action}`, name: action, permissions: [`test.door.${action}`] });
    await createRule(work, { name: "sales", condition: 'person.department == "Sales"', role: "door-open", unit: "top" });
    await createRule(work, { name: "titled", condition: 'person.title == "Sales"', role: "door-close", unit: "top" });
  });
  const everybody = [
    person("stays", { department: "Sales", title: "Sales", area: "Sales", works: true }),
    person("gains", { department: "Works", title: "Works", area: "Sales", works: true }),
    person("loses", { department: "Sales", title: "Works", area: "Works", works: true }),
    person("swaps", { department: "Sales", title: "Sales", area: "Works", works: true }),
    person("outside", { department: "Sales", title: "Works", area: "Sales", works: true, kind: "external" }),
    person("idle", { department: "Sales", title: "Works", area: "Sales", works: false }),
  ];
  await testConnection(db, ctx, { limits: UNGUARDED });
  await syncWorld(db, ctx, { world: world(everybody) });
  const before = await held();
  expect(before.size).toBe(7);
  const mapping = {
    user: {
      scope: '!("kind" in account)',
      attributes: {
        userName: "account.uid",
        displayName: "account.cn",
        department: "account.area",
        title: "account.title",
        active: "account.works",
      },
    },
  };
  const computed = await inTransaction(db, ctx, (work) => previewMapping(work, { connection: "corp", mapping, at: ctx.now() }));
  expect(await held()).toEqual(before);
  const said = await saidBy(computed);
  expect(said).toEqual([
    "gained gains test.door.open",
    "lost idle test.door.open",
    "lost loses test.door.open",
    "lost outside test.door.open",
    "lost swaps test.door.open",
  ]);

  await db.pool.query("update connections set mapping = $1, mapping_version = mapping_version + 1", [JSON.stringify(mapping)]);
  const run = await syncWorld(db, ctx, { world: world(everybody) });
  // A scope that lets somebody fall out is shown to somebody first.
  expect(run.state).toBe("held");
  await inTransaction(db, ctx, (work) => approvePlan(work, { planId: run.planId }));
  expect(await syncWorld(db, ctx, { world: world(everybody) })).toMatchObject({ state: "done" });
  const after = await held();
  const really = [
    ...[...after].filter((each) => !before.has(each)).map((each) => `gained ${each}`),
    ...[...before].filter((each) => !after.has(each)).map((each) => `lost ${each}`),
  ];
  expect(really.sort()).toEqual(said);
  const preview = (more: { connection?: string; mapping?: unknown }) =>
    inTransaction(db, ctx, (work) => previewMapping(work, { connection: "corp", mapping, at: ctx.now(), ...more }));
  expect((await preview({})).summary.people).toBe(0);
  await expect(preview({ connection: "nobody" })).rejects.toMatchObject({ code: "not_found" });
  await expect(preview({ mapping: { user: { attributes: { userName: "account.uid +" } } } })).rejects.toMatchObject({ code: "invalid" });
});

test("B3: whoever another mapping names as manager is who the next run finds, whom rules ask for", async () => {
  const staff = ["ada", "bo", "cy", "dee"];
  const named = fc.constantFrom(...staff, "nobody");
  const mapped = (by: string) => ({
    user: { attributes: { userName: "account.uid", displayName: "account.cn", manager: `account.${by}` } },
  });
  await testConnection(db, ctx, {
    name: "led",
    mapping: mapped("boss"),
    limits: UNGUARDED,
  });
  const run = async (by: string, records: ReturnType<typeof person>[]) => {
    await db.pool.query("update connections set mapping = $1, mapping_version = mapping_version + 1 where name = 'led'", [
      JSON.stringify(mapped(by)),
    ]);
    expect(await syncWorld(db, ctx, { world: world(records), connection: "led" })).toMatchObject({ state: "done" });
    return held();
  };
  await run(
    "boss",
    staff.map((uid) => person(uid)),
  );
  await inTransaction(db, ctx, async (work) => {
    await createUnit(work, { name: "Desk", code: "desk" });
    for (const uid of staff) {
      await work.sql.query("insert into permissions (key, module, resource, action) values ('test.desk.' || $1, 'test', 'desk', $1)", [
        uid,
      ]);
      await createRole(work, { key: `desk-${uid}`, name: uid, permissions: [`test.desk.${uid}`] });
      const { rows } = await work.sql.query<{ id: string }>("select id from people where user_name = $1", [uid]);
      await createRule(work, { name: `led by ${uid}`, condition: `person.manager == "${rows[0]?.id}"`, role: `desk-${uid}`, unit: "desk" });
    }
  });
  await fc.assert(
    fc.asyncProperty(fc.tuple(...staff.map(() => fc.record({ boss: named, mentor: named }))), async (said) => {
      const records = staff.map((uid, at) => person(uid, { boss: `uid=${said[at]?.boss}`, mentor: `uid=${said[at]?.mentor}` }));
      const before = await run("boss", records);
      const computed = await inTransaction(db, ctx, (work) =>
        previewMapping(work, { connection: "led", mapping: mapped("mentor"), at: ctx.now() }),
      );
      const foretold = await saidBy(computed);
      const after = await run("mentor", records);
      const really = [
        ...[...after].filter((each) => !before.has(each)).map((each) => `gained ${each}`),
        ...[...before].filter((each) => !after.has(each)).map((each) => `lost ${each}`),
      ];
      expect(foretold).toEqual(really.sort());
    }),
    {
      numRuns: 5,
      examples: [
        [
          [
            { boss: "bo", mentor: "cy" },
            { boss: "ada", mentor: "nobody" },
            { boss: "nobody", mentor: "ada" },
            { boss: "bo", mentor: "bo" },
          ],
        ],
      ],
    },
  );
});

test("B3: whichever units another mapping names are those into which the next run puts people, and those that others put them into stay", async () => {
  const staff = ["una", "vic", "wes"];
  const codes = ["attic", "basement"];
  const places = fc.subarray([...codes, "nowhere"]);
  const mapped = (by: string) => ({
    user: { attributes: { userName: "account.uid", displayName: "account.cn", ...(by ? { units: `list(account.${by})` } : {}) } },
  });
  await testConnection(db, ctx, {
    name: "placed",
    mapping: mapped("desks"),
    limits: UNGUARDED,
  });
  const run = async (by: string, records: ReturnType<typeof person>[]) => {
    await db.pool.query("update connections set mapping = $1, mapping_version = mapping_version + 1 where name = 'placed'", [
      JSON.stringify(mapped(by)),
    ]);
    expect(await syncWorld(db, ctx, { world: world(records), connection: "placed" })).toMatchObject({ state: "done" });
    return held();
  };
  await inTransaction(db, ctx, async (work) => {
    await createUnit(work, { name: "House", code: "house" });
    for (const code of [...codes, "Shed"]) {
      await createUnit(work, code === "Shed" ? { name: code } : { name: `The ${code}`, code });
      await work.sql.query(
        "insert into permissions (key, module, resource, action) values ('test.place.' || lower($1), 'test', 'place', lower($1))",
        [code],
      );
      const key = code.toLowerCase();
      await createRole(work, { key: `place-${key}`, name: code, permissions: [`test.place.${key}`] });
      await createRule(work, { name: `in ${key}`, condition: `"${code}" in person.units`, role: `place-${key}`, unit: "house" });
    }
  });
  await run(
    "desks",
    staff.map((uid) => person(uid)),
  );
  // Somebody is in a unit that no connection named.
  await db.pool.query(
    "insert into person_units (person_id, unit_id, valid_from, recorded_from) select p.id, u.id, now(), now() from people p, units u where p.user_name = 'una' and u.name = 'Shed'",
  );
  const seen = { gained: 0, lost: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(...staff.map(() => fc.record({ desks: places, beds: places }))),
      fc.constantFrom("beds", ""),
      async (said, by) => {
        const records = staff.map((uid, at) => person(uid, { ...said[at] }));
        const before = await run("desks", records);
        const computed = await inTransaction(db, ctx, (work) =>
          previewMapping(work, { connection: "placed", mapping: mapped(by), at: ctx.now() }),
        );
        const foretold = await saidBy(computed);
        const after = await run(by, records);
        const gained = [...after].filter((each) => !before.has(each)).map((each) => `gained ${each}`);
        const lost = [...before].filter((each) => !after.has(each)).map((each) => `lost ${each}`);
        seen.gained += gained.length;
        seen.lost += lost.length;
        expect(foretold).toEqual([...gained, ...lost].sort());
      },
    ),
    {
      numRuns: 4,
      examples: [
        [
          [
            { desks: ["attic"], beds: ["basement"] },
            { desks: ["attic", "basement"], beds: [] },
            { desks: [], beds: ["nowhere", "attic"] },
          ],
          "beds",
        ],
        [staff.map(() => ({ desks: codes, beds: [] })), ""],
      ],
    },
  );
  expect(seen.gained * seen.lost).toBeGreaterThan(0);
});

test("B3: whom another mapping lets in again gains what the next run gives back; who falls out of its scope and is left as they are loses the units", async () => {
  const attributes = { userName: "account.uid", displayName: "account.cn", units: "list(account.desks)" };
  const working = { user: { attributes: { ...attributes, active: "account.works" } } };
  const steps = [
    { user: { attributes } },
    working,
    { user: { attributes }, situations: { disabled: "deactivate" } },
    { ...working, situations: { disabled: "deactivate" } },
    { user: { attributes } },
    { user: { attributes, scope: "account.works" }, situations: { deleted: "ignore" } },
  ];
  await testConnection(db, ctx, {
    name: "back",
    mapping: working,
    limits: UNGUARDED,
  });
  const records = ["yan", "yve", "yul", "yai"].map((uid) => person(uid, { works: uid === "yai", desks: ["cellar"] }));
  await inTransaction(db, ctx, async (work) => {
    await createUnit(work, { name: "Cellar", code: "cellar" });
    for (const key of ["desk", "works", "given"]) {
      await work.sql.query("insert into permissions (key, module, resource, action) values ('test.back.' || $1, 'test', 'back', $1)", [
        key,
      ]);
      await createRole(work, { key: `back-${key}`, name: key, permissions: [`test.back.${key}`] });
    }
    await createRule(work, { name: "back desk", condition: '"cellar" in person.units', role: "back-desk", unit: "cellar" });
    const here = 'person.active && person.userName.startsWith("y")';
    await createRule(work, { name: "back works", condition: here, role: "back-works", unit: "cellar" });
  });
  const run = async (mapping: object) => {
    await db.pool.query("update connections set mapping = $1, mapping_version = mapping_version + 1 where name = 'back'", [
      JSON.stringify(mappingSchema.parse(mapping)),
    ]);
    const { state, planId } = await syncWorld(db, ctx, { world: world(records), connection: "back" });
    if (state === "held") {
      await inTransaction(db, ctx, (work) => approvePlan(work, { planId }));
      await syncWorld(db, ctx, { world: world(records), connection: "back" });
    }
    return held();
  };
  let before = await run(working);
  const { rows } = await db.pool.query<{ id: string; name: string }>("select id, user_name as name from people where user_name like 'y%'");
  const idOf = (name: string) => rows.find((row) => row.name === name)?.id ?? "";
  await inTransaction(db, ctx, async (work) => {
    for (const { id } of rows) await giveGrant(work, { personId: id, role: "back-given", unit: "cellar" });
    // Whom somebody else keeps out stays out.
    await raiseBlocks(work, [{ personId: idOf("yul"), owner: "admin", effect: "suspended", reason: "by hand" }]);
  });
  before = await held();
  const seen = { gained: 0, lost: 0 };
  for (const mapping of steps) {
    const computed = await inTransaction(db, ctx, (work) => previewMapping(work, { connection: "back", mapping, at: ctx.now() }));
    const foretold = await saidBy(computed);
    const after = await run(mapping);
    const gained = [...after].filter((each) => !before.has(each)).map((each) => `gained ${each}`);
    const lost = [...before].filter((each) => !after.has(each)).map((each) => `lost ${each}`);
    expect(foretold).toEqual([...gained, ...lost].sort());
    seen.gained += gained.length;
    seen.lost += lost.length;
    before = after;
  }
  expect(seen).toEqual({ gained: 16, lost: 14 });
});
