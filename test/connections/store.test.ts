import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ensureScimConnection } from "../../src/connections/builtin.ts";
import { loadConnection, scopeHashOf } from "../../src/connections/open.ts";
import { flagConnection, noteFailure, noteSuccess, resumeConnection } from "../../src/connections/state.ts";
import { addConnection, listConnections, removeConnection } from "../../src/connections/store.ts";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { sealingKey, type KeyRing } from "../../src/db/envelope.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

const SECRET = "the-bind-password-in-clear";

describe("stored connections", () => {
  let db: TestDatabase;
  const keyRing: KeyRing = { current: sealingKey(randomBytes(32)), older: [] };
  beforeAll(async () => {
    db = await testDatabase();
  });
  afterAll(() => db.drop());
  const work = <T>(action: (work: Work) => Promise<T>) => inTransaction(db, testContext(), action);
  const ldap = (name: string, more: object = {}) => ({
    name,
    connector: "ldap",
    settings: { url: "ldaps://ldap.example.com", bindDn: "cn=sync", bindPassword: SECRET, users: { base: "dc=example" } },
    mapping: { user: { attributes: { userName: "account.uid" } } },
    ...more,
  });
  const add = (definition: unknown, replace = false) => work((each) => addConnection(each, { definition, keyRing, replace }));

  test("invariant 8: a secret is nowhere in the database in clear, and comes back when it is loaded", async () => {
    await add(ldap("secret"));
    const { rows } = await db.pool.query(
      "select row_to_json(c)::text as text from connections c union all select row_to_json(e)::text from audit_events e",
    );
    for (const { text } of rows) expect(text).not.toContain(SECRET);
    expect((await loadConnection(db.pool, keyRing, "secret")).settings).toMatchObject({ bindPassword: SECRET });
  });

  test("invariant 8: a secret sealed for one connection does not open in another", async () => {
    await add(ldap("left"));
    await add(ldap("right"));
    await db.pool.query("update connections set secrets = (select secrets from connections where name = 'left') where name = 'right'");
    await expect(loadConnection(db.pool, keyRing, "right")).rejects.toMatchObject({
      code: "misconfigured",
      message: expect.not.stringContaining(SECRET),
    });
  });

  test("another master key names what is missing", async () => {
    await add(ldap("foreign"));
    const other: KeyRing = { current: sealingKey(randomBytes(32)), older: [] };
    await expect(loadConnection(db.pool, other, "foreign")).rejects.toThrow(/not the master key in use. Restore that key/);
  });

  test("a name is taken once; --replace keeps a secret that is left out, and a changed mapping counts", async () => {
    const { id } = await add(ldap("twice"));
    await expect(add(ldap("twice"))).rejects.toMatchObject({ code: "conflict" });
    expect(await add(ldap("twice"), true)).toMatchObject({ id, created: false, changed: [] });
    const { bindPassword: _, ...withoutSecret } = ldap("twice").settings;
    expect(
      await add({ ...ldap("twice"), settings: withoutSecret, mapping: { user: { attributes: { userName: "account.mail" } } } }, true),
    ).toMatchObject({ changed: ["mapping"] });
    expect(await loadConnection(db.pool, keyRing, id)).toMatchObject({ mappingVersion: 2, settings: { bindPassword: SECRET } });
    expect(await add({ ...ldap("twice"), settings: { ...withoutSecret, bindPassword: "another" } }, true)).toMatchObject({
      changed: ["mapping", "secrets"],
    });
    await expect(add({ name: "twice", connector: "csv", settings: { file: "/x", idColumn: "id" } }, true)).rejects.toMatchObject({
      code: "conflict",
      field: "connector",
    });
    const { rows } = await db.pool.query("select name, data from audit_events where subject_id = 'twice' order by id");
    expect(rows).toEqual([
      { name: "connection.created", data: { name: "twice", connector: "ldap" } },
      { name: "connection.updated", data: { name: "twice", changed: ["mapping"] } },
      { name: "connection.updated", data: { name: "twice", changed: ["mapping", "secrets"] } },
    ]);
  });

  test("two that add one name at once: one of them is told", async () => {
    const outcomes = await Promise.allSettled([add(ldap("race")), add(ldap("race"))]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(outcomes.find(({ status }) => status === "rejected")).toMatchObject({ reason: { code: "conflict" } });
  });

  test("a bad definition changes nothing", async () => {
    await add(ldap("steady"));
    const before = await loadConnection(db.pool, keyRing, "steady");
    await expect(add(ldap("steady", { schedule: "sometimes", precedence: 7 }), true)).rejects.toMatchObject({ code: "invalid" });
    expect((await loadConnection(db.pool, keyRing, "steady")).row).toEqual(before.row);
  });

  test("the scope's hash follows what decides about a read, and nothing else", async () => {
    const hashOf = async (definition: unknown) => {
      await add(definition, true);
      return scopeHashOf(await loadConnection(db.pool, keyRing, "scope"));
    };
    const first = await hashOf(ldap("scope"));
    expect(await hashOf(ldap("scope", { precedence: 3, schedule: "* * * * *" }))).toBe(first);
    expect(
      await hashOf(ldap("scope", { mapping: { user: { scope: "has(account.mail)", attributes: { userName: "account.uid" } } } })),
    ).not.toBe(first);
    expect(await hashOf({ ...ldap("scope"), settings: { ...ldap("scope").settings, users: { base: "ou=people,dc=example" } } })).not.toBe(
      first,
    );
  });

  test("B2: quarantined after so many failures in a row, flagged at once, resumed by a human", async () => {
    const { id } = await add(ldap("frail", { limits: { failures: 3 } }));
    const fail = () => work((each) => noteFailure(each, { id, reason: "the directory does not answer" }));
    expect([await fail(), await fail()]).toEqual(["ready", "ready"]);
    await work((each) => noteSuccess(each, { id, heard: true }));
    expect([await fail(), await fail(), await fail()]).toEqual(["ready", "ready", "quarantined"]);
    expect((await listConnections(db.pool)).find(({ name }) => name === "frail")).toMatchObject({
      state: "quarantined",
      stateReason: expect.stringContaining("the directory does not answer"),
    });
    expect(await work((each) => resumeConnection(each, { name: "frail" }))).toBe(true);
    expect(await work((each) => resumeConnection(each, { name: "frail" }))).toBe(false);
    await work((each) => flagConnection(each, { id, state: "flagged", reason: "the password is wrong" }));
    await work((each) => flagConnection(each, { id, state: "flagged", reason: "the password is wrong" }));
    const { rows } = await db.pool.query("select name from audit_events where subject_id = 'frail' order by id");
    expect(rows.map(({ name }) => name)).toEqual([
      "connection.created",
      "connection.quarantined",
      "connection.resumed",
      "connection.flagged",
    ]);
  });

  test("the connection of SCIM clients without one is made once, whoever asks at once", async () => {
    const ids = await Promise.all([work(ensureScimConnection), work(ensureScimConnection), work(ensureScimConnection)]);
    expect(new Set(ids).size).toBe(1);
    expect(await loadConnection(db.pool, keyRing, "scim")).toMatchObject({
      id: ids[0],
      mapping: null,
      connector: { name: "scim-inbound" },
    });
  });

  test("one that holds accounts is not removed; an empty one is, and its tokens end", async () => {
    const { id } = await add(ldap("full"));
    await db.pool.query(
      "insert into accounts (connection_id, kind, native_id, attributes, hash, mapping_version, situation, first_seen_at, changed_at) values ($1, 'user', 'x', '{}', '\\x00', 1, 'unmatched', now(), now())",
      [id],
    );
    await expect(work((each) => removeConnection(each, { name: "full" }))).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining("holds 1 accounts"),
    });
    await add(ldap("empty"));
    await work((each) => removeConnection(each, { name: "empty" }));
    await expect(loadConnection(db.pool, keyRing, "empty")).rejects.toMatchObject({
      code: "not_found",
      message: expect.stringContaining("full"),
    });
  });
});
