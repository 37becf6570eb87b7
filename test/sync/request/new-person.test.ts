import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { AttributeObject } from "../../../connectors/contract.ts";
import { TOKEN_STAMP, createToken } from "../../../src/auth/tokens.ts";
import { ensureScimConnection } from "../../../src/connections/builtin.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { requestConnections } from "../../../src/sync/request/connection.ts";
import type { Gathering } from "../../../src/sync/request/gathering.ts";
import type { Looks, Proof } from "../../../src/sync/request/look.ts";
import { takeInPerson, type LatelySeen } from "../../../src/sync/request/new-person.ts";
import { newPeopleStore, type NewPersonRecord } from "../../../src/sync/request/store-new-person.ts";
import { testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { testKeyRing } from "../../helpers/sync.ts";

const ctx = testContext();
let db: TestDatabase;
let connectionId: number;
let store: Gathering<NewPersonRecord, boolean>;
let looked = 0;
let looks: Looks;
let proof: Proof;
let connections: ReturnType<typeof requestConnections>;
const nobodyFollows: LatelySeen = { followers: { receivers: false, conditions: false } };

beforeAll(async () => {
  db = await testDatabase();
  const { pool } = db;
  const { token } = await inTransaction(db, ctx, async (work) => {
    connectionId = await ensureScimConnection(work);
    return createToken(work, { name: "client", scope: "scim" });
  });
  const hash = createHash("sha256").update(token).digest();
  const { rows } = await pool.query<{ stamp: string }>(`select ${TOKEN_STAMP("$1::bytea")} as stamp`, [hash]);
  proof = { hash, stamp: rows[0]?.stamp ?? "" };
  store = newPeopleStore(pool, TOKEN_STAMP);
  looks = {
    reads: {
      query(read) {
        looked += 1;
        return db.sharedReads.query(read);
      },
    },
    stampOf: TOKEN_STAMP,
  };
});
beforeEach(() => {
  connections = requestConnections(testKeyRing);
  looked = 0;
});
afterAll(() => db?.drop());

const take = (
  userName: string,
  { lately = { ...nobodyFollows }, rest = {}, by = proof }: { lately?: LatelySeen; rest?: AttributeObject; by?: Proof } = {},
) =>
  takeInPerson({
    ctx,
    sql: db.pool,
    looks,
    store,
    connections,
    lately,
    connectionId,
    resource: { userName, active: true, ...rest },
    proof: by,
  });

const isThere = async (userName: string): Promise<boolean> =>
  (await db.pool.query("select from people where user_name = $1 and origin_id = $2", [userName, connectionId])).rowCount === 1;

test("somebody of whom nobody has anything needs no look, once one has told who follows", async () => {
  const lately: LatelySeen = {};
  expect(await take("first", { lately })).toMatchObject({ id: expect.any(String) });
  expect(looked).toBe(1);
  expect(await take("second", { lately })).toMatchObject({ id: expect.any(String) });
  expect(looked).toBe(1);
  expect(await isThere("second")).toBe(true);
});

test("a client that is not what it was takes nobody in, though nobody looked", async () => {
  expect(await take("stranger", { by: { ...proof, stamp: `${proof.stamp}x` } })).toBe("unproven");
  expect(await take("stranger", { by: { ...proof, hash: createHash("sha256").update("another").digest() } })).toBe("unproven");
  expect(await isThere("stranger")).toBe(false);
});

test("a name or an address that somebody has is seen by the statement, whatever its letters", async () => {
  const emails = (value: string) => ({ emails: [{ value, primary: true }] });
  await take("holder", { rest: emails("held@x.test") });
  expect(await take("HOLDER")).toBe("general");
  // An address is no reason to refuse anybody: it stays with who had it.
  expect(await take("addressee", { rest: emails("HELD@x.test") })).toMatchObject({ id: expect.any(String) });
  expect(looked).toBe(2);
  const { rows } = await db.pool.query("select email from people where user_name in ('holder', 'addressee') order by user_name");
  expect(rows).toEqual([{ email: null }, { email: "held@x.test" }]);
});

test("a connection that was changed in between decides anew", async () => {
  await connections(db.pool, { id: connectionId });
  await db.pool.query("update connections set mapping_version = mapping_version + 1 where id = $1", [connectionId]);
  expect(await take("under.the.old.mapping")).toBe("general");
  expect(await isThere("under.the.old.mapping")).toBe(false);
  expect(await take("under.the.new.mapping")).toMatchObject({ id: expect.any(String) });
});

test("who follows new people since the last look gets them", async () => {
  await db.pool.query("insert into connections (name, connector, policy) values ('app', 'scim', '{\"provision\": {}}')");
  const lately = { ...nobodyFollows };
  expect(await take("followed", { lately })).toMatchObject({ id: expect.any(String) });
  expect(lately.followers).toEqual({ receivers: true, conditions: false });
  const { rowCount } = await db.pool.query("select from projections j join people p on p.id = j.person_id where p.user_name = 'followed'");
  expect(rowCount).toBe(1);
});
