import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { inTransaction } from "../../src/db/database.ts";
import { refuseOriginsUnit } from "../../src/directory/unit-origin.ts";
import { createUnit, findUnit } from "../../src/directory/units.ts";
import { put, remove, world } from "../helpers/memory-source.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { person, syncWorld, testConnection, unit, UNGUARDED } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeEach(async () => {
  db = await testDatabase();
  await testConnection(db, ctx, { limits: UNGUARDED });
});
afterEach(() => db.drop());

const tree = async () =>
  (
    await db.pool.query<{ unit: string }>(
      `select u.code || coalesce(' in ' || p.code, '') || coalesce(': ' || string_agg(people.user_name, ', ' order by people.user_name), '') as unit
         from units u left join units p on p.id = u.parent_id left join person_units m on m.unit_id = u.id and m.recorded_to is null and m.valid_to is null
         left join people on people.id = m.person_id where u.deleted_at is null group by u.id, p.id order by u.code`,
    )
  ).rows.map((row) => row.unit);
const idOf = async (code: string) => (await findUnit(db.pool, code)).id;
const events = async (id: string) =>
  (
    await db.pool.query<{ name: string }>("select name from audit_events where subject_id = $1 and name like 'unit.%' order by id", [id])
  ).rows.map(({ name }) => name);

test("a unit that is deleted and made anew between two reads, elsewhere in the tree, is the same unit with its people, at once", async () => {
  const source = world([unit("north"), unit("south"), unit("lab", "north"), person("ada", { units: ["lab"] })]);
  await syncWorld(db, ctx, { world: source });
  const id = await idOf("lab");
  remove(source, "unit", "id-lab");
  put(source, { ...unit("lab", "south"), nativeId: "anew" });
  put(source, person("bob", { units: ["lab"] }));
  const { applied, plan } = await syncWorld(db, ctx, { world: source });
  expect([applied.failed, plan["unit"]]).toEqual([0, { delete: 1, link: 1 }]);
  expect(await tree()).toEqual(["lab in south: ada, bob", "north", "south"]);
  expect(await idOf("lab")).toBe(id);
  await syncWorld(db, ctx, { world: source });
  expect(await tree()).toEqual(["lab in south: ada, bob", "north", "south"]);
});

test("a unit that was gone for a while comes back as itself under another native id, whoever stood on it meanwhile", async () => {
  const source = world([unit("lab"), unit("empty"), unit("other"), person("ada", { units: ["ou=lab"] })]);
  await syncWorld(db, ctx, { world: source });
  const ids = [await idOf("lab"), await idOf("empty")];
  remove(source, "unit", "id-lab");
  remove(source, "unit", "id-empty");
  await syncWorld(db, ctx, { world: source });
  expect(await tree()).toEqual(["lab: ada", "other"]);
  put(source, { ...unit("lab", "other"), nativeId: "lab anew" });
  put(source, { ...unit("empty"), nativeId: "empty anew" });
  await syncWorld(db, ctx, { world: source });
  expect(await tree()).toEqual(["empty", "lab in other: ada", "other"]);
  expect([await idOf("lab"), await idOf("empty")]).toEqual(ids);
  expect(await events(ids[1] ?? "")).toEqual(["unit.created", "unit.deleted", "unit.restored"]);
});

test("of two new units under the code of a former one only one is that unit, and the other is named", async () => {
  const source = world([unit("lab"), unit("other")]);
  await syncWorld(db, ctx, { world: source });
  const id = await idOf("lab");
  remove(source, "unit", "id-lab");
  put(source, { ...unit("lab"), nativeId: "first", reference: "first" });
  put(source, { ...unit("lab"), nativeId: "second", reference: "second" });
  const { applied } = await syncWorld(db, ctx, { world: source });
  expect(applied.failed).toBe(1);
  expect(await idOf("lab")).toBe(id);
  const { rows } = await db.pool.query("select native_id from accounts where unit_id = $1 and gone_at is null", [id]);
  expect(rows).toEqual([{ native_id: "first" }]);
  // The former native id comes back, too: it is not that unit any more.
  put(source, unit("lab"));
  expect((await syncWorld(db, ctx, { world: source })).applied.failed).toBe(2);
});

test("a unit that is dissolved goes with the plan that moves its people elsewhere, with the units above that go with it", async () => {
  const source = world([unit("mother"), unit("child", "mother"), unit("other"), person("ada", { units: ["ou=child"] })]);
  await syncWorld(db, ctx, { world: source });
  for (const name of ["mother", "child"]) remove(source, "unit", `id-${name}`);
  put(source, person("ada", { units: ["ou=other"] }));
  await syncWorld(db, ctx, { world: source });
  expect(await tree()).toEqual(["other: ada"]);
});

test("a unit that its origin lists no more is steered here as long as somebody stands on it, and its code is free after that", async () => {
  const source = world([unit("lab"), unit("other"), person("ada", { units: ["ou=lab"] })]);
  await syncWorld(db, ctx, { world: source });
  const id = await idOf("lab");
  await expect(refuseOriginsUnit(db.pool, id)).rejects.toMatchObject({ code: "conflict" });
  remove(source, "unit", "id-lab");
  await syncWorld(db, ctx, { world: source });
  await refuseOriginsUnit(db.pool, id);
  put(source, person("ada"));
  await syncWorld(db, ctx, { world: source });
  await syncWorld(db, ctx, { world: source });
  expect(await tree()).toEqual(["other"]);
  const local = await inTransaction(db, ctx, (work) => createUnit(work, { name: "Laboratory", code: "LAB" }));
  expect(await idOf("lab")).toBe(local);
});
