import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { keyFile, loadKeyRing, readConfig, writeKeyFile, type Config } from "../../src/config.ts";
import { loadConnection } from "../../src/connections/open.ts";
import { rotateKey } from "../../src/connections/rotate.ts";
import { addConnection } from "../../src/connections/store.ts";
import { inTransaction } from "../../src/db/database.ts";
import {
  IDEMPOTENT_ANSWER_PURPOSE,
  importPurpose,
  keyIdOf,
  oidcPendingPurpose,
  open,
  personKeyPurpose,
  seal,
  sealingKey,
} from "../../src/db/envelope.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

describe("key rotation", () => {
  let db: TestDatabase;
  let folder: string;
  let config: Config;
  const ctx = testContext();
  const personId = randomUUID();
  const importId = randomUUID();
  const signInId = randomUUID();

  beforeEach(async () => {
    db = await testDatabase();
    folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-rotate-"));
    config = readConfig({ environment: { ROLLCALL_DATA: folder } });
    const ring = loadKeyRing(config);
    const definition = {
      name: "app",
      connector: "scim",
      settings: { url: "https://app.example.com/scim", token: "the-token" },
      policy: { provision: {} },
    };
    await inTransaction(db, ctx, (work) => addConnection(work, { definition, keyRing: ring }));
    const insert = "insert into person_keys (person_id, wrapped) values ($1, $2)";
    await db.pool.query("insert into people (id, user_name, attributes, created_at, modified_at) values ($1, 'ada', '{}', now(), now())", [
      personId,
    ]);
    await db.pool.query(insert, [personId, seal(ring.current, { purpose: personKeyPurpose(personId), plain: "a person's key" })]);
    await db.pool.query(
      "insert into people_imports (id, owner, made_by, made_at, file_hash, plan_hash, encoding, columns, counts) values ($1, 'o', 'o', now(), '', '', 'utf-8', '{}', '{}')",
      [importId],
    );
    await db.pool.query(
      "insert into people_import_rows (import_id, line, action, problems, changed, content) values ($1, 2, 'create', '[]', '{}', $2)",
      [importId, seal(ring.current, { purpose: importPurpose(importId), plain: "cells" })],
    );
    await db.pool.query(
      "insert into idempotency_keys (caller, key, request_hash, status, answer, created_at) values ('c', 'k', '', 201, $1, now())",
      [seal(ring.current, { purpose: IDEMPOTENT_ANSWER_PURPOSE, plain: "an answer" })],
    );
    await db.pool.query(
      "insert into sign_ins (id, hash, purpose, created_at, expires_at, state) values ($1, $2, 'sign_in', now(), now() + interval '15 minutes', $3)",
      [
        signInId,
        randomBytes(32),
        { oidc: seal(ring.current, { purpose: oidcPendingPurpose(signInId), plain: "state and nonce" }), kept: 1 },
      ],
    );
  });
  afterEach(async () => {
    await db.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function everythingOpens(ring = loadKeyRing(config)): Promise<Set<string | undefined>> {
    expect((await loadConnection(db.pool, ring, "app")).settings).toMatchObject({ token: "the-token" });
    const { rows } = await db.pool.query<{ wrapped: string }>("select wrapped from person_keys where person_id = $1", [personId]);
    const wrapped = rows[0]?.wrapped ?? "";
    expect(open(ring, { purpose: personKeyPurpose(personId), sealed: wrapped })).toBe("a person's key");
    const { rows: secrets } = await db.pool.query<{ sealed: string }>("select secrets ->> 'token' as sealed from connections");
    const { rows: kept } = await db.pool.query<{ cells: string; answer: string }>(
      "select content as cells, answer from people_import_rows, idempotency_keys",
    );
    const { cells = "", answer = "" } = kept[0] ?? {};
    expect(open(ring, { purpose: importPurpose(importId), sealed: cells })).toBe("cells");
    expect(open(ring, { purpose: IDEMPOTENT_ANSWER_PURPOSE, sealed: answer })).toBe("an answer");
    const { rows: away } = await db.pool.query<{ pending: string; kept: number }>(
      "select state ->> 'oidc' as pending, (state -> 'kept')::int as kept from sign_ins",
    );
    const [{ pending, kept: beside } = { pending: "", kept: 0 }] = away;
    expect([open(ring, { purpose: oidcPendingPurpose(signInId), sealed: pending }), beside]).toEqual(["state and nonce", 1]);
    return new Set([wrapped, cells, answer, pending, ...secrets.map(({ sealed }) => sealed)].map(keyIdOf));
  }

  test("seals everything with a new key, drops the older one, and a ring in use goes on", async () => {
    const running = loadKeyRing(config);
    const before = running.current.id;
    const rotation = await rotateKey(ctx, { db, config });
    expect(rotation).toMatchObject({ from: before, values: 5, olderKeyDropped: true });
    expect(await everythingOpens()).toEqual(new Set([rotation.to]));
    expect(readFileSync(keyFile(config), "utf8").trim().split("\n")).toHaveLength(1);
    expect(statSync(keyFile(config)).mode & 0o777).toBe(0o600);
    expect(await everythingOpens(running)).toEqual(new Set([rotation.to]));
    const { rows } = await db.pool.query("select data from audit_events where name = 'key.rotated'");
    expect(rows).toEqual([{ data: { from: before, to: rotation.to, values: 5 } }]);
  });

  test("one that broke after the new key was written loses nothing, and the next goes on with that key", async () => {
    const { current } = loadKeyRing(config);
    const next = sealingKey(randomBytes(32));
    writeKeyFile(keyFile(config), [next, current]);
    expect(await everythingOpens()).toEqual(new Set([current.id]));
    expect(await rotateKey(ctx, { db, config })).toMatchObject({ to: next.id, values: 5 });
    expect(await everythingOpens()).toEqual(new Set([next.id]));
  });

  test("a transaction that may still seal with the older key keeps that key in the file", async () => {
    const client = await db.pool.connect();
    await client.query("begin");
    await client.query("select 1");
    const rotation = await rotateKey(ctx, { db, config, patienceMs: 300 });
    expect(rotation.olderKeyDropped).toBe(false);
    expect(readFileSync(keyFile(config), "utf8").trim().split("\n")).toHaveLength(2);
    await client.query("commit");
    client.release();
    expect(await rotateKey(ctx, { db, config })).toMatchObject({ to: rotation.to, values: 0, olderKeyDropped: true });
    await everythingOpens();
  });

  test("with ROLLCALL_KEY the operator brings the new key", async () => {
    const older = loadKeyRing(config).current.bytes.toString("hex");
    const withKey: Config = { ...config, key: randomBytes(32).toString("hex"), olderKeys: [older] };
    expect(await rotateKey(ctx, { db, config: withKey })).toMatchObject({ values: 5 });
    await everythingOpens(loadKeyRing({ ...withKey, olderKeys: [] }));
    await expect(rotateKey(ctx, { db, config: withKey })).rejects.toMatchObject({
      code: "invalid",
      message: expect.stringContaining("set ROLLCALL_KEY to a new one"),
    });
  });
});
