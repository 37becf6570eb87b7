import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { AttributeObject } from "../../../connectors/contract.ts";
import { TOKEN_STAMP } from "../../../src/auth/tokens.ts";
import { ensureScimConnection } from "../../../src/connections/builtin.ts";
import { loadConnection } from "../../../src/connections/open.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { syncOne } from "../../../src/sync/one.ts";
import { changePerson } from "../../../src/sync/request/change-person.ts";
import { requestConnections, type RequestConnections } from "../../../src/sync/request/connection.ts";
import type { Gathering } from "../../../src/sync/request/gathering.ts";
import type { Looks } from "../../../src/sync/request/look.ts";
import { takeInPerson, type LatelySeen } from "../../../src/sync/request/new-person.ts";
import { findStanding } from "../../../src/sync/request/standing.ts";
import { changesStore, type ChangeRecord, type StoredChange } from "../../../src/sync/request/store-change.ts";
import { newPeopleStore, type NewPersonRecord } from "../../../src/sync/request/store-new-person.ts";
import { testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { testKeyRing } from "../../helpers/sync.ts";
import { whileTimeLasts } from "../../helpers/while-time-lasts.ts";

const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const LIMITS = { disable: { count: 10000, floor: 10000 }, window: { count: 100000, floor: 100000 } };

/** One organisation twice: in `quick` each record is taken in by one statement, in `slow` by the stages that runs go through. */
let quick: TestDatabase;
let slow: TestDatabase;
let connections: RequestConnections;
let looks: Looks;
let newPeople: Gathering<NewPersonRecord, boolean>;
const lately: LatelySeen = {};
let changes: Gathering<ChangeRecord, StoredChange | undefined>;
const ctx = testContext();

beforeAll(async () => {
  quick = await testDatabase();
  slow = await testDatabase();
  for (const db of [quick, slow]) {
    await inTransaction(db, ctx, ensureScimConnection);
    await db.pool.query("update connections set limits = $1", [JSON.stringify(LIMITS)]);
    // Somebody provisions from here, so that the outbox is a part of the comparison.
    await db.pool.query("insert into connections (name, connector, policy) values ('app', 'scim', '{\"provision\": {}}')");
  }
  connections = requestConnections(testKeyRing);
  looks = { reads: quick.sharedReads, stampOf: TOKEN_STAMP };
  newPeople = newPeopleStore(quick.pool, TOKEN_STAMP);
  changes = changesStore(quick.pool);
});
afterAll(() => Promise.all([quick.drop(), slow.drop()]));

const word = fc.constantFrom("a", "b", "c");
const state = fc.record(
  {
    title: word,
    name: fc.record({ givenName: word, familyName: word }, { requiredKeys: [] }),
    emails: fc.array(fc.record({ value: word.map((local) => `${local}@x.test`), primary: fc.boolean() }), { minLength: 1, maxLength: 2 }),
    active: fc.boolean(),
    /** Kept for the client alone: no attribute of a person. */
    nothingOfOurs: word,
    [ENTERPRISE]: fc.record(
      { department: word, manager: fc.constantFrom({ value: "nobody" }, { value: "another" }) },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ["active"] },
);

async function takeIn(resource: AttributeObject): Promise<string> {
  const { rows } = await quick.pool.query("select id from connections where name = 'scim'");
  const made = await takeInPerson({
    ctx,
    sql: quick.pool,
    looks,
    store: newPeople,
    lately,
    connections,
    connectionId: rows[0].id,
    resource,
  });
  if (typeof made === "string") throw new Error("somebody new who is active needs one statement");
  return made.id;
}

/** False: it needs the general way, and nothing was written. */
async function change(id: string, resource: AttributeObject): Promise<boolean> {
  const { rows } = await quick.pool.query("select id from connections where name = 'scim'");
  const standing = await findStanding(looks, { connectionId: rows[0].id, id });
  if (!standing || standing === "unproven") throw new Error("the account is gone");
  const known = await connections(quick.pool, standing.connection);
  const changed = await changePerson({ ctx, sql: quick.pool, store: changes, keyRing: testKeyRing, known, standing, resource });
  return typeof changed !== "string";
}

const throughStages = (db: TestDatabase, record: { id?: string; resource: AttributeObject }) =>
  inTransaction(db, ctx, async (work) =>
    syncOne(work, {
      connection: await loadConnection(work.sql, testKeyRing, "scim"),
      keyRing: testKeyRing,
      record: { kind: "user", ...record },
    }),
  );

/** All that is known of somebody, without times, ids and counters of versions. */
async function whatIsKnown(db: TestDatabase, id: string): Promise<unknown> {
  const { rows } = await db.pool.query(
    `select p.user_name, p.email, p.employee_number, p.external_id, p.display_name, p.active, p.state, p.attributes, p.custom, p.mastery, p.origin_id, p.manager_id,
       (select jsonb_agg(jsonb_build_object('attributes', a.attributes, 'mapped', a.mapped, 'situation', a.situation, 'linked_by', a.linked_by, 'mapping', a.mapping_version, 'gone', a.gone_at)) from accounts a where a.person_id = p.id) as accounts,
       (select jsonb_agg(jsonb_build_array(l.state, l.reason, l.valid_to is null, l.recorded_to is null) order by l.state, l.reason, l.valid_to is null, l.recorded_to is null) from lifecycle_periods l where l.person_id = p.id) as lifecycle,
       (select jsonb_agg(jsonb_build_array(b.owner, b.effect, b.reason, b.valid_to is null, b.recorded_to is null) order by b.reason, b.valid_to is null, b.recorded_to is null) from blocks b where b.person_id = p.id) as blocks,
       (select jsonb_agg(jsonb_build_array(w.kind, w.reference) order by w.reference) from pending_references w join accounts a on a.id = w.account_id where a.person_id = p.id) as waiting,
       (select jsonb_agg(jsonb_build_array(e.name, e.reason, e.data - 'account', e.sealed is not null) order by e.name, e.reason, e.data::text) from audit_events e where e.subject_id = p.id::text) as trail,
       (select jsonb_agg(jsonb_build_array(o.kind, o.desired_state, o.dirty_at is not null, o.source_changed_at)) from projections o where o.person_id = p.id) as outbox
     from people p where p.id = $1`,
    [id],
  );
  return rows[0];
}

test("M1: whatever a client writes, one statement and the stages of a run come to the same end", async () => {
  let count = 0;
  let general = 0;
  let steps = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(state, { minLength: 1, maxLength: 6 }),
      whileTimeLasts(
        async (states) => {
          count += 1;
          const whole = (each: object): AttributeObject =>
            ({ ...each, userName: `u${count}`, externalId: `x${count}` }) as unknown as AttributeObject;
          const [first, ...others] = states;
          const begin = whole({ ...first, active: true, emails: [{ value: `own${count}@x.test` }] });
          const id = await takeIn(begin);
          const twin = (await throughStages(slow, { resource: begin })).id;
          expect(await whatIsKnown(quick, id)).toEqual(await whatIsKnown(slow, twin));
          for (const each of others) {
            // Addresses are one person's alone; who shares one goes the general way, which is not what is compared here.
            const next = whole({
              ...each,
              ...(each.emails ? { emails: each.emails.map((email) => ({ ...email, value: `${count}${email.value}` })) } : {}),
            });
            steps += 1;
            if (!(await change(id, next))) {
              general += 1;
              await throughStages(quick, { id, resource: next });
            }
            await throughStages(slow, { id: twin, resource: next });
            expect(await whatIsKnown(quick, id)).toEqual(await whatIsKnown(slow, twin));
          }
        },
        { enough: () => steps >= 20 },
      ),
    ),
    { numRuns: 24 },
  );
  expect(general).toBeLessThan(steps / 10);
  const counted = (db: TestDatabase) => db.pool.query("select action, sum(count)::int as count from guard_counts group by action");
  expect((await counted(quick)).rows).toEqual((await counted(slow)).rows);
});
