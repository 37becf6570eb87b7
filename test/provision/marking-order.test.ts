import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { inTransaction } from "../../src/db/database.ts";
import { markPeople } from "../../src/directory/outbox.ts";
import { storeDecisions, type Decision } from "../../src/provision/decision.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

const PEOPLE = 1000;

let db: TestDatabase;
const ctx = testContext();
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

test("who marks people and who decides about them wait for each other, and neither fails", async () => {
  await db.pool.query("insert into connections (name, connector, policy) values ('app', 'scim', '{\"provision\": {}}')");
  // Later people have earlier projections: the two orders there could be are opposite.
  const { rows } = await db.pool.query<{ id: number; version: number; person_id: string }>(
    `insert into projections (connection_id, kind, person_id, desired_state, dirty_at)
     select c.id, 'user', lpad(to_hex($1 - n), 32, '0')::uuid, 'absent', now() from connections c, generate_series(1, $1::int) n where c.name = 'app'
     returning id, version, person_id`,
    [PEOPLE],
  );
  const personIds = rows.map((row) => row.person_id);
  const decide = async () => {
    const { rows: standing } = await db.pool.query<{ id: number; version: number }>("select id, version from projections order by id");
    const decisions = standing.map((row): Decision => ({
      ...row,
      desiredState: "absent",
      desired: null,
      desiredHash: null,
      state: "idle",
      lastError: null,
      removeAfter: null,
      wake: false,
      changed: false,
    }));
    await inTransaction(db, ctx, (work) => storeDecisions(work, decisions));
  };
  for (let round = 0; round < 15; round += 1)
    await Promise.all([decide(), inTransaction(db, ctx, (work) => markPeople(work, { personIds })), decide()]);
  const { rows: dirty } = await db.pool.query("select count(*) as count from projections");
  expect(dirty).toEqual([{ count: PEOPLE }]);
});
