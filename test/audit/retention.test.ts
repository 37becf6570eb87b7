import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { exportedText, ndjsonLine } from "../../src/audit/export.ts";
import { listRemovals, removeExpiredEvents, setRetention } from "../../src/audit/retention.ts";
import { EVERYTHING, searchEvents } from "../../src/audit/search.ts";
import { wholeExport } from "../../src/audit/whole-export.ts";
import { inTransaction } from "../../src/db/database.ts";
import { lookAfterThings } from "../../src/jobs/upkeep.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

const now = new Date("2027-06-01T00:00:00Z");
const ctx = testContext({ now: () => now });
const COUNT = 12_000;
let db: TestDatabase;
const count = async () =>
  Number((await db.pool.query("select count(*)::int as count from audit_events where name = 'roles.loaded'")).rows[0].count);

beforeAll(async () => {
  db = await testDatabase();
  // Every other one is old enough, so that what goes has gaps that stay.
  await db.pool.query(
    `insert into audit_events (at, name, actor, correlation_id, data)
     select $1::timestamptz - make_interval(days => case when n % 2 = 0 then 91 else 89 end), 'roles.loaded', 'system', 'c', jsonb_build_object('n', n)
     from generate_series(1, $2::int) n`,
    [now, COUNT * 2],
  );
});
afterAll(() => db?.drop());

test("W1, invariant 8: removal that is cut off leaves no hole without its proof, and the portions' proofs are of exactly what went", async () => {
  expect(await inTransaction(db, ctx, removeExpiredEvents)).toBe(0);
  await inTransaction(db, ctx, (work) => setRetention(work, { days: 90, reason: "the law" }));
  await expect(inTransaction(db, ctx, (work) => setRetention(work, { days: 89, reason: "x" }))).rejects.toMatchObject({ code: "invalid" });
  const cut = inTransaction(db, ctx, async (work) => {
    expect(await removeExpiredEvents(work)).toBeGreaterThan(0);
    throw new Error("killed");
  });
  await expect(cut).rejects.toThrow("killed");
  expect(await count()).toBe(COUNT * 2);
  expect(await listRemovals(db.pool, { limit: 10 })).toEqual([]);

  const to = new Date(now.getTime() - 90 * 86_400_000);
  const expired = await searchEvents(db.pool, { filter: { to }, within: EVERYTHING, order: "oldest", limit: COUNT * 2 });
  expect(expired).toHaveLength(COUNT);
  // Two nodes at once: each portion goes once.
  await Promise.all([lookAfterThings(ctx, db), lookAfterThings(ctx, db)]);
  expect(await count()).toBe(COUNT);
  const proofs = (await listRemovals(db.pool, { limit: 10 })).reverse();
  expect(proofs.length).toBeGreaterThan(1);
  for (const { firstId, lastId, count: gone, sha256, before } of proofs) {
    const part = expired.filter(({ id }) => id >= firstId && id <= lastId);
    expect(part).toHaveLength(gone);
    expect(before).toEqual(to);
    expect(createHash("sha256").update(part.map(ndjsonLine).join("")).digest("hex")).toBe(sha256);
  }
  expect(proofs.reduce((sum, proof) => sum + proof.count, 0)).toBe(COUNT);
});

test("W1: an export from which events are removed while it is read breaks off rather than lack them; one that does not hold them goes on", async () => {
  const later = testContext({ now: () => new Date("2027-06-04T00:00:00Z") });
  const remove = () => inTransaction(db, later, removeExpiredEvents);
  const whole = (from?: Date) =>
    wholeExport(db.pool, {
      from,
      read: (range) => searchEvents(db.pool, { filter: { from }, within: EVERYTHING, order: "oldest", limit: 2000, ...range }),
    });
  // What is left of the first test is too old by then.
  const [all, young] = [await whole(), await whole(now)];
  const text = exportedText({ format: "ndjson", nextPage: all.nextPage });
  expect((await text.next()).done).toBe(false);
  expect(await remove()).toBe(5000);
  await expect(text.next()).rejects.toMatchObject({ code: "busy" });
  expect(await young.nextPage(0)).not.toEqual([]);
  const [after] = await listRemovals(db.pool, { limit: 1 });
  const begunAfter = await whole();
  expect(await begunAfter.nextPage(0)).toHaveLength(2000);
  const behind = await begunAfter.nextPage(after?.lastId ?? 0);
  await remove();
  await expect(begunAfter.nextPage(behind.at(-1)?.id ?? 0)).rejects.toMatchObject({ code: "busy" });
});
