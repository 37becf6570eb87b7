import { expect, test } from "@jest/globals";
import type { Sql } from "../../src/db/database.ts";
import { testDatabase } from "../helpers/database.ts";

const group = "00000000-0000-4000-8000-000000000001";

/** A group, and so many people who are not in it. */
async function fill(sql: Sql, people: number): Promise<void> {
  await sql.query("insert into groups (id, display_name, created_at, modified_at) values ($1, 'g', now(), now())", [group]);
  await sql.query(
    "insert into people (id, user_name, attributes, created_at, modified_at) select gen_random_uuid(), 'u' || i, '{}', now(), now() from generate_series(1, $1::int) i",
    [people],
  );
}

test("that thousands leave a group at once costs no more for each of them, though the table was never counted", async () => {
  const db = await testDatabase({ poolSize: 1 });
  try {
    const sql = db.pool;
    await fill(sql, 6000);
    const leave = (condition: string) =>
      sql.query(
        `insert into memberships (group_id, person_id, valid_from, valid_to, recorded_from)
         select $1, id, now() - interval '1 year', clock_timestamp(), now() from people where ${condition}`,
        [group],
      );
    // The plan is made for a few.
    await leave("user_name < 'u100'");
    await leave("user_name >= 'u100'");
    await sql.query("select pg_stat_force_next_flush()");
    const { rows } = await sql.query<{ pages: number }>(
      "select (idx_blks_hit + idx_blks_read)::int as pages from pg_statio_user_indexes where indexrelname = 'memberships_past'",
    );
    // Each would walk past half of the others.
    expect(rows[0]?.pages).toBeLessThan(6000 * 10);
  } finally {
    await db.drop();
  }
});

test("what leaving costs does not grow with how often somebody came and went before", async () => {
  const db = await testDatabase({ poolSize: 1 });
  try {
    const sql = db.pool;
    await fill(sql, 20);
    const stay = (from: number, to: number) =>
      sql.query(
        `insert into memberships (group_id, person_id, valid_from, valid_to, recorded_from)
         select $1, p.id, now() - make_interval(days => day), now() - make_interval(days => day) + interval '1 hour', now()
           from people p cross join generate_series($2::int, $3::int) day`,
        [group, from, to],
      );
    await stay(2, 300);
    const read = async () => {
      await sql.query("select pg_stat_force_next_flush()");
      const { rows } = await sql.query<{ tuples: number }>(
        "select idx_tup_read::int as tuples from pg_stat_user_indexes where indexrelname = 'memberships_past_of_person'",
      );
      return rows[0]?.tuples ?? 0;
    };
    const before = await read();
    await stay(1, 1);
    expect((await read()) - before).toBeLessThan(20 * 10);
    await expect(
      sql.query(
        `insert into memberships (group_id, person_id, valid_from, valid_to, recorded_from)
         select $1, id, now() - interval '100 days 1 minute', now() - interval '99 days 23 hours 50 minutes', now() from people limit 1`,
        [group],
      ),
    ).rejects.toMatchObject({ code: "23P01" });
  } finally {
    await db.drop();
  }
});
