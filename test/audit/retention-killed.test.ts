import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ndjsonLine } from "../../src/audit/export.ts";
import { listRemovals, setRetention, type Removal } from "../../src/audit/retention.ts";
import { EVERYTHING, searchEvents, type StoredEvent } from "../../src/audit/search.ts";
import { inTransaction } from "../../src/db/database.ts";
import { lookAfterThings } from "../../src/jobs/upkeep.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

const now = new Date("2027-06-01T00:00:00Z");
const ctx = testContext({ now: () => now });
const COUNT = 16_000;
const children: ChildProcess[] = [];
let db: TestDatabase;

beforeAll(async () => {
  db = await testDatabase();
  await db.pool.query(
    `insert into audit_events (at, name, actor, correlation_id, data)
     select $1::timestamptz - interval '91 days', 'roles.loaded', 'system', 'c', jsonb_build_object('n', n) from generate_series(1, $2::int) n`,
    [now, COUNT],
  );
  await inTransaction(db, ctx, (work) => setRetention(work, { days: 90, reason: "the law" }));
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await db?.drop();
});

const count = async (text: string) => Number((await db.pool.query<{ count: number }>(text)).rows[0]?.count);
const left = () => count("select count(*)::int as count from audit_events where name = 'roles.loaded'");

/** Waits until a statement that counts says at least one. */
async function untilAny(text: string): Promise<void> {
  while ((await count(text)) === 0) await sleep(20);
}

/** Each proof is of exactly what went, and what went is proven. */
function requireProven(proofs: readonly Removal[], all: readonly StoredEvent[]): void {
  for (const { firstId, lastId, count: gone, sha256 } of proofs) {
    const part = all.filter(({ id }) => id >= firstId && id <= lastId);
    expect(part).toHaveLength(gone);
    expect(createHash("sha256").update(part.map(ndjsonLine).join("")).digest("hex")).toBe(sha256);
  }
}

test("W1, invariant 8: removal killed with SIGKILL in the middle leaves whole portions with their proofs, and the next run goes on", async () => {
  const all = await searchEvents(db.pool, { filter: { name: "roles.loaded" }, within: EVERYTHING, order: "oldest", limit: COUNT });
  // The second portion stops where its proof is written: what it removed is not committed, and the first portion is.
  await db.pool.query(
    `create function stop_there() returns trigger language plpgsql as $$ begin
       if (select count(*) from audit_removals) > 0 then perform pg_advisory_lock(1); end if;
       return new;
     end $$`,
  );
  await db.pool.query("create trigger stop_there before insert on audit_removals for each row execute function stop_there()");
  const holder = await db.pool.connect();
  try {
    await holder.query("select pg_advisory_lock(1)");
    const child = spawn(process.execPath, [path.join(import.meta.dirname, "retention-child.mjs"), db.url, now.toISOString()], {
      stdio: "inherit",
    });
    children.push(child);
    const ended = once(child, "exit");
    await untilAny("select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event = 'advisory'");
    child.kill("SIGKILL");
    expect(await ended).toEqual([null, "SIGKILL"]);
  } finally {
    await holder.query("select pg_advisory_unlock(1)");
    holder.release();
  }
  await db.pool.query("drop trigger stop_there on audit_removals");
  const proofs = await listRemovals(db.pool, { limit: 10 });
  expect(proofs).toHaveLength(1);
  requireProven(proofs, all);
  expect(await left()).toBe(COUNT - (proofs[0]?.count ?? 0));

  await lookAfterThings(ctx, db);
  expect(await left()).toBe(0);
  const later = await listRemovals(db.pool, { limit: 10 });
  expect(later.at(-1)).toEqual(proofs[0]);
  requireProven(later, all);
  expect(later.reduce((sum, proof) => sum + proof.count, 0)).toBe(COUNT);
  expect(await count("select count(*)::int as count from audit_events where name = 'audit.removed'")).toBe(later.length);
});
