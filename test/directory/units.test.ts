import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { createUnit, findUnit, moveUnit, updateUnit } from "../../src/directory/units.ts";
import { AppError } from "../../src/errors.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { HOUR, standingClock } from "./fixtures.ts";

let db: TestDatabase;
const clock = standingClock();
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: clock.now }), flow);
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

test("P1: units are made, named and found by code; a taken code and an unknown parent are refused", async () => {
  const root = await inWork((work) => createUnit(work, { name: "Company", code: "co", type: "organization" }));
  const id = await inWork((work) => createUnit(work, { name: "Sales", code: "Sales", parentId: root }));
  expect(await findUnit(db.pool, "SALES")).toMatchObject({ id, name: "Sales", parentId: root });
  expect((await findUnit(db.pool, id)).path.split(".").length).toBe(2);
  await inWork((work) => updateUnit(work, { unitId: id, name: "Sales & Support" }));
  expect(await findUnit(db.pool, "sales")).toMatchObject({ name: "Sales & Support", version: 2 });
  await inWork((work) => updateUnit(work, { unitId: id, name: "Sales & Support" }));
  expect((await findUnit(db.pool, "sales")).version).toBe(2);
  await expect(inWork((work) => createUnit(work, { name: "Other", code: "SALES" }))).rejects.toMatchObject({
    code: "conflict",
    field: "code",
  });
  await expect(inWork((work) => createUnit(work, { name: "Other", parentId: "nowhere" }))).rejects.toMatchObject({ code: "not_found" });
});

test("A4: any sequence of moves keeps a tree: paths follow parents, no circles, one placement at a time", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(5), fc.option(fc.nat(5)), fc.nat(2)), { maxLength: 12 }), async (moves) => {
      const ids: string[] = [];
      for (let index = 0; index < 6; index += 1) {
        const parentId = index === 0 ? null : (ids[Math.floor((index - 1) / 2)] ?? null);
        ids.push(await inWork((work) => createUnit(work, { name: `Unit ${index}`, parentId })));
      }
      for (const [unit, parent, hours] of moves) {
        clock.forward(hours * HOUR);
        const options = { unitId: ids[unit] ?? "", parentId: parent === null ? null : (ids[parent] ?? "") };
        await inWork((work) => moveUnit(work, options)).catch((error: unknown) => {
          if (!(error instanceof AppError) || !/below itself/.test(error.message)) throw error;
        });
      }
      const { rows } = await db.pool.query(
        `select u.id, u.parent_id, u.path::text, p.path::text as parent_path,
           array(select parent_id::text from unit_placements where unit_id = u.id and recorded_to is null and valid @> $2::timestamptz) as placed,
           (select count(*)::int from unit_placements a join unit_placements b on a.unit_id = b.unit_id and a.id < b.id and a.valid && b.valid
            where a.unit_id = u.id and a.recorded_to is null and b.recorded_to is null) as overlaps
         from units u left join units p on p.id = u.parent_id where u.id = any($1)`,
        [ids, clock.now()],
      );
      for (const row of rows) {
        const own = row.id.replaceAll("-", "");
        expect(row.path).toBe(row.parent_id ? `${row.parent_path}.${own}` : own);
        expect(new Set(row.path.split(".")).size).toBe(row.path.split(".").length);
        expect(row.placed).toEqual([row.parent_id]);
        expect(row.overlaps).toBe(0);
      }
    }),
    { numRuns: 20 },
  );
});
