import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type pg from "pg";
import { testDatabase, type TestDatabase } from "../../helpers/database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

const COUNTS = `select (select coalesce(sum(change), 0) from resource_count_changes where kind = 'user') as kept_people,
  (select count(*) from people where deleted_at is null and state <> 'deleted') as people,
  (select coalesce(sum(change), 0) from resource_count_changes where kind = 'group') as kept_groups,
  (select count(*) from groups where deleted_at is null) as groups`;

type Step = { kind: "add" | "delete" | "revive" | "remove" | "touch"; table: "people" | "groups"; many: number };
interface Transaction {
  steps: readonly Step[];
  commits: boolean;
}

const step = fc.record<Step>({
  kind: fc.constantFrom("add", "add", "add", "delete", "revive", "remove", "touch"),
  table: fc.constantFrom("people", "groups"),
  many: fc.integer({ min: 1, max: 30 }),
});
const transaction = fc.record<Transaction>({ steps: fc.array(step, { minLength: 1, maxLength: 5 }), commits: fc.boolean() });

const some = (table: string, condition: string) =>
  `select id from ${table} where ${condition} order by random() limit $1 for update skip locked`;

const SQL: Readonly<Record<Step["table"], Readonly<Record<Step["kind"], string>>>> = {
  people: {
    add: `insert into people (id, user_name, attributes, created_at, modified_at) select id, id, '{}', now(), now() from unnest($1::uuid[]) id`,
    delete: `update people set state = 'deleted', deleted_at = now() where id in (${some("people", "deleted_at is null")})`,
    revive: `update people set state = 'active', deleted_at = null where id in (${some("people", "deleted_at is not null")})`,
    remove: `delete from people where id in (${some("people", "true")})`,
    touch: `update people set state = 'deactivated', version = version + 1 where id in (${some("people", "deleted_at is null")})`,
  },
  groups: {
    add: `insert into groups (id, display_name, created_at, modified_at) select id, id, now(), now() from unnest($1::uuid[]) id`,
    delete: `update groups set deleted_at = now() where id in (${some("groups", "deleted_at is null")})`,
    revive: `update groups set deleted_at = null where id in (${some("groups", "deleted_at is not null")})`,
    remove: `delete from groups where id in (${some("groups", "true")})`,
    touch: `update groups set version = version + 1 where id in (${some("groups", "true")})`,
  },
};

async function run(client: pg.PoolClient, { steps, commits }: Transaction): Promise<void> {
  await client.query("begin");
  for (const { kind, table, many } of steps) {
    const value = kind === "add" ? Array.from({ length: many }, () => randomUUID()) : many;
    await client.query(SQL[table][kind], [value]);
  }
  await client.query(commits ? "commit" : "rollback");
}

describe("M1: totals are kept, not counted", () => {
  test("M1: whatever writers do at once, every reader's total is the number of those that it sees", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(transaction, { minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 6 }), async (writers) => {
        const writing = new AbortController();
        const reading = (async () => {
          for (let reads = 0; !writing.signal.aborted || reads === 0; reads += 1) {
            const { rows } = await db.pool.query(COUNTS);
            expect(rows[0]).toMatchObject({ kept_people: rows[0].people, kept_groups: rows[0].groups });
          }
        })();
        await Promise.all(
          writers.map(async (transactions) => {
            const client = await db.pool.connect();
            try {
              for (const one of transactions) await run(client, one);
            } finally {
              client.release();
            }
          }),
        ).finally(() => writing.abort());
        await reading;
        const { rows } = await db.pool.query(COUNTS);
        expect(rows[0]).toMatchObject({ kept_people: rows[0].people, kept_groups: rows[0].groups });
      }),
      { numRuns: 25 },
    );
  });

  test("M1: what lies there is summed up as it goes, so that a total stays cheap", async () => {
    for (let made = 0; made < 300; made += 1) await db.pool.query(SQL.people.add, [[randomUUID()]]);
    const { rows } = await db.pool.query("select count(*) as lying from resource_count_changes where kind = 'user'");
    expect(rows[0].lying).toBeLessThan(129);
  });
});
