import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { AttributeObject } from "../../../connectors/contract.ts";
import { TOKEN_STAMP } from "../../../src/auth/tokens.ts";
import { ensureScimConnection } from "../../../src/connections/builtin.ts";
import { inTransaction } from "../../../src/db/database.ts";
import type { SharedReads } from "../../../src/db/shared-reads.ts";
import { requestConnections, type RequestConnections } from "../../../src/sync/request/connection.ts";
import type { Gathering } from "../../../src/sync/request/gathering.ts";
import { takeInPerson, type LatelySeen } from "../../../src/sync/request/new-person.ts";
import { newPeopleStore, type NewPersonRecord } from "../../../src/sync/request/store-new-person.ts";
import { testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { testKeyRing } from "../../helpers/sync.ts";
import { whileTimeLasts } from "../../helpers/while-time-lasts.ts";

const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const ctx = testContext();

/** The same people twice: where a look is made before each of them, and where none is that the statement can do without. */
interface World {
  db: TestDatabase;
  connectionId: number;
  store: Gathering<NewPersonRecord, boolean>;
  connections: RequestConnections;
  /** Looks that were made. */
  looked: number;
  lately: () => LatelySeen;
}

async function openWorld(lately: () => LatelySeen): Promise<World> {
  const db = await testDatabase();
  const connectionId = await inTransaction(db, ctx, (work) => ensureScimConnection(work));
  return { db, connectionId, store: newPeopleStore(db.pool, TOKEN_STAMP), connections: requestConnections(testKeyRing), looked: 0, lately };
}

let worlds: readonly [World, World];
beforeAll(async () => {
  const kept: LatelySeen = { followers: { receivers: false, conditions: false } };
  worlds = [await openWorld(() => ({})), await openWorld(() => kept)];
});
afterAll(() => Promise.all((worlds ?? []).map(({ db }) => db.drop())));

// Letters that lower case makes into others', or into two, or that it does not make the same in JavaScript and in PostgreSQL.
const NAMES = [
  "kim",
  "KIM",
  "\u212Aim",
  "straße",
  "STRASSE",
  "stra\u1E9Ee",
  "İnan",
  "i\u0307nan",
  "inan",
  "ınan",
  "ΣΑΣ",
  "σας",
  "σασ",
  'q"\\{},',
  "null",
];
const name = fc.constantFrom(...NAMES);
const maybe = fc.option(fc.constantFrom("", ...NAMES), { nil: undefined, freq: 2 });
const resource = fc.record({
  userName: name,
  externalId: maybe,
  number: maybe,
  emails: fc.array(fc.record({ value: name, primary: fc.boolean() }), { maxLength: 4 }),
});
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("join" as const), resource }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), name }) },
);
const keys = fc.uniqueArray(fc.constantFrom("userName", "emails", "employeeNumber", "externalId"), { minLength: 1 });

const PEOPLE = `select p.user_name, p.email, p.employee_number, p.external_id, p.state, p.attributes, a.attributes as said
  from people p left join accounts a on a.person_id = p.id order by p.user_name::text collate "C", p.state, p.email::text collate "C", p.employee_number collate "C", p.external_id collate "C"`;

test("P1: whoever comes is taken in without a look exactly when they are with one, and is the same person", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 3, maxLength: 25 }),
      keys,
      whileTimeLasts(async (steps, match) => {
        for (const { db } of worlds) {
          await db.pool.query("truncate people, accounts cascade");
          await db.pool.query("update connections set mapping = $1, mapping_version = mapping_version + 1", [
            JSON.stringify({
              match,
              user: {
                attributes: {
                  userName: "account.userName",
                  externalId: "account.externalId",
                  employeeNumber: `account['${ENTERPRISE}'].employeeNumber`,
                  "emails.work": "account.emails[0].value",
                },
              },
            }),
          ]);
        }
        for (const each of steps) {
          const outcomes: string[] = [];
          for (const world of worlds) {
            const { db, connectionId, store, connections, lately } = world;
            if (each.do === "leave") {
              await db.pool.query("update people set state = 'deleted', active = false, deleted_at = now() where user_name = $1", [
                each.name,
              ]);
              continue;
            }
            const { number, externalId, userName, emails } = each.resource;
            const reads: SharedReads = {
              query(read) {
                world.looked += 1;
                return db.sharedReads.query(read);
              },
            };
            const made = () =>
              takeInPerson({
                ctx,
                sql: db.pool,
                looks: { reads, stampOf: TOKEN_STAMP },
                store,
                connections,
                lately: lately(),
                connectionId,
                resource: {
                  userName,
                  active: true,
                  emails,
                  ...(externalId === undefined ? {} : { externalId }),
                  ...(number === undefined ? {} : { [ENTERPRISE]: { employeeNumber: number } }),
                } as AttributeObject,
              }).catch((error: unknown) => String(error));
            let outcome = await made();
            // The connection was changed: whoever comes next finds it so.
            if (outcome === "general") outcome = await made();
            outcomes.push(typeof outcome === "string" ? outcome : "made");
          }
          if (each.do === "join") expect(outcomes[1]).toBe(outcomes[0]);
          const [looked, unlooked] = await Promise.all(worlds.map(async ({ db }) => (await db.pool.query(PEOPLE)).rows));
          expect(unlooked).toEqual(looked);
        }
      }),
    ),
    { numRuns: 40 },
  );
  expect(worlds[1].looked).toBeLessThan(worlds[0].looked);
});
