import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { usersIndexed } from "../../src/http/scim/users-indexed.ts";
import { parameters } from "../../src/http/scim/view.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";

describe("plans that are made once", () => {
  let db: TestDatabase;

  beforeAll(async () => {
    db = await testDatabase();
  });

  afterAll(() => db.close());

  it("look up by key although the table was empty when they were made", async () => {
    const client = await db.requestPool.connect();
    try {
      await client.query("analyze sessions");
      await client.query({
        name: "planned_while_empty",
        text: "select ended_at from sessions where person_id = $1::uuid",
        values: ["00000000-0000-4000-8000-000000000000"],
      });
      const { rows } = await client.query<{ "QUERY PLAN": string }>(
        "explain execute planned_while_empty('00000000-0000-4000-8000-000000000000')",
      );
      const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
      expect(plan).not.toContain("Seq Scan");
      expect(plan).toContain("person_id = $1");
    } finally {
      client.release();
    }
  });

  it("do so for reads that requests share, which can't write", async () => {
    const rows = await db.keyedReads.query<{ by_key: string; read_only: string }>({
      text: "select current_setting('enable_seqscan') as by_key, current_setting('transaction_read_only') as read_only where $1::int = 1",
      values: [1],
    });
    expect(rows).toEqual([{ by_key: "off", read_only: "on" }]);
  });

  it("nothing that people are found by is a sequential scan: before PostgreSQL 18 one where they are off spoils the plan of the whole", async () => {
    const client = await db.requestPool.connect();
    try {
      for (const [attribute, by] of [
        ["username", "equals"],
        ["externalid", "equals"],
        ["emails.value", "equals"],
        ["emails.value", "narrows"],
        ["displayname", "narrows"],
      ] as const) {
        const given = parameters();
        const indexed = usersIndexed({ parameters: given, connection: `${given.add(1)}::integer`, isGroupSeen: "" });
        const condition =
          by === "equals"
            ? indexed.equals.get(attribute)?.("somebody@example.com")
            : indexed.narrows?.get(attribute)?.({ operator: "co", value: "somebody@" });
        await client.query(
          `prepare found as select p.id from people p cross join lateral (select p.attributes as document offset 0) d where ${condition}`,
        );
        const { rows } = await client.query<{ "QUERY PLAN": string }>(
          `explain execute found(${given.values.map((value) => client.escapeLiteral(String(value))).join(", ")})`,
        );
        await client.query("deallocate found");
        const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
        expect({ attribute, by, plan }).toEqual({ attribute, by, plan: expect.not.stringContaining("Seq Scan") });
      }
    } finally {
      client.release();
    }
  });

  it("none of them waits for ever for what somebody else holds", async () => {
    for (const pool of [db.requestPool, db.readPool]) {
      const { rows } = await pool.query<{ ms: number }>("select setting::int as ms from pg_settings where name = 'statement_timeout'");
      expect(rows[0]?.ms).toBeGreaterThan(0);
      expect(rows[0]?.ms).toBeLessThanOrEqual(30_000);
    }
  });
});
