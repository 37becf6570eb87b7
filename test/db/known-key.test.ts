import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { seal, sealingKey, type KeyRing } from "../../src/db/envelope.ts";
import { requireKnownKey } from "../../src/db/known-key.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { testConnection } from "../helpers/sync.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db?.drop());

const ring = (...older: KeyRing["older"]): KeyRing => ({ current: sealingKey(randomBytes(32)), older });

test("a server does not start with a master key that has sealed nothing of what is there: it would seal new values with it beside them", async () => {
  const used = ring();
  await requireKnownKey(db.pool, ring());
  const keep = (keyRing: KeyRing) => seal(keyRing.current, { purpose: "person.x", plain: "x" });
  await db.pool.query("insert into person_keys (person_id, wrapped) values (gen_random_uuid(), $1)", [keep(used)]);
  await requireKnownKey(db.pool, used);
  const refused = requireKnownKey(db.pool, ring());
  await expect(refused).rejects.toMatchObject({ code: "misconfigured", field: "ROLLCALL_KEY" });
  await expect(refused).rejects.toThrow(`sealed with key ${used.current.id}, which is not the master key in use`);
  // In the midst of a rotation, and where one secret was lost for good.
  await requireKnownKey(db.pool, ring(used.current));
  await db.pool.query("insert into person_keys (person_id, wrapped) values (gen_random_uuid(), $1)", [keep(ring())]);
  await requireKnownKey(db.pool, used);
});

test("the secrets of connections tell it, too", async () => {
  const used = ring();
  await db.pool.query("delete from person_keys");
  const name = await testConnection(db, testContext());
  await requireKnownKey(db.pool, ring());
  const sealed = seal(used.current, { purpose: "connection.hr.token", plain: "x" });
  await db.pool.query("update connections set secrets = $2 where name = $1", [name, JSON.stringify({ token: sealed })]);
  await requireKnownKey(db.pool, used);
  await expect(requireKnownKey(db.pool, ring())).rejects.toMatchObject({ code: "misconfigured" });
});
