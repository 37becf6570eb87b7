import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { ensureScimConnection } from "../../../src/connections/builtin.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { activeAccounts } from "../../../src/sync/guard.ts";
import { leastLinked } from "../../../src/sync/request/least-linked.ts";
import { testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";

let db: TestDatabase;
let connectionId: number;
beforeAll(async () => {
  db = await testDatabase();
  await inTransaction(db, testContext(), ensureScimConnection);
  connectionId = (await db.pool.query<{ id: number }>("select id from connections where name = 'scim'")).rows[0]?.id ?? 0;
});
afterAll(() => db.drop());

const account = fc.record({
  situation: fc.constantFrom("linked", "linked", "linked", "unlinked", "unmatched", "disputed"),
  gone: fc.boolean(),
  state: fc.constantFrom("active", "active", "invited", "suspended", "deactivated", null),
  kind: fc.constantFrom("user", "user", "user", "group"),
});

test("B2: what the guard takes for the least of linked accounts is never more than there are, and all of them where all count", async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(account, { maxLength: 30 }), fc.integer({ min: 1, max: 40 }), async (accounts, most) => {
      await db.pool.query("delete from accounts; delete from people");
      await db.pool.query(
        `with given as (select gen_random_uuid() as id, * from jsonb_to_recordset($2::jsonb) as each (n int, situation text, gone boolean, state text, kind text)),
          made as (insert into people (id, user_name, state, attributes, created_at, modified_at) select id, 'u' || n, state, '{}', now(), now() from given where state is not null)
         insert into accounts (connection_id, kind, native_id, person_id, attributes, hash, mapping_version, situation, gone_at, first_seen_at, changed_at)
         select $1, kind, n::text, case when state is not null then id end, '{}', '\\x00', 1, case when gone then 'deleted' else situation end, case when gone then now() end, now(), now()
         from given where state is not null or situation <> 'linked'`,
        [connectionId, JSON.stringify(accounts.map((each, n) => ({ ...each, n })))],
      );
      const active = await activeAccounts(db.pool, { connectionId });
      const least = await leastLinked(db.pool, { connectionId, most });
      expect(least).toBeLessThanOrEqual(Math.min(active, most));
      const all = accounts.every(
        ({ situation, gone, state, kind }) => kind === "user" && situation === "linked" && !gone && state === "active",
      );
      if (all) expect(least).toBe(Math.min(active, most));
      seen.add(`${least > 0} ${least < Math.min(active, most)}`);
    }),
    { numRuns: 150 },
  );
  expect([...seen].toSorted()).toEqual(["false false", "false true", "true false", "true true"]);
});
