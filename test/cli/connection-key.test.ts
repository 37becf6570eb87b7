import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ownKeys } from "../../src/auth/saml/own-keys.ts";
import { loadKeyRing } from "../../src/config.ts";
import { addConnection } from "../../src/connections/store.ts";
import { inTransaction } from "../../src/db/database.ts";
import { keyIdOf } from "../../src/db/envelope.ts";
import { newKeys, providerMetadata } from "../auth/saml/signer.ts";
import { testContext } from "../helpers/database.ts";
import { openCommandLine, type TestCommandLine } from "./command-line.ts";

let line: TestCommandLine;
beforeAll(async () => {
  line = await openCommandLine();
  const metadata = providerMetadata([newKeys("idp").certificate], { sso: "https://127.0.0.1:1/sso" });
  for (const [name, settings] of Object.entries({ corp: {}, curved: { keyType: "ec" } })) {
    const definition = { name, connector: "saml", settings: { metadata, timeoutMs: 500, ...settings } };
    await inTransaction(line.db, testContext(), (work) => addConnection(work, { definition, keyRing: loadKeyRing(line.config) }));
  }
});
afterAll(() => line?.close());

const shown = async (...options: string[]) => {
  const { code, text } = await line.rollcall("--json", "connection", "key", ...options);
  return { code, text, keys: code === 0 ? (JSON.parse(text) as { id: string; state: string; certificate: string }[]) : [] };
};
const states = async (...options: string[]) => (await shown(...options)).keys.map(({ state }) => state);

describe("rollcall connection key", () => {
  test("G4: makes our key once, publishes the next, and lets it take over; never shows what is private", async () => {
    const first = await shown("corp");
    expect(first.keys.map(({ state }) => state)).toEqual(["current"]);
    expect((await shown("corp")).keys).toEqual(first.keys);
    expect((await line.rollcall("connection", "key", "corp", "--use")).text).toContain("has no next key");
    expect(await states("corp", "--prepare")).toEqual(["current", "next"]);
    const twice = await line.rollcall("connection", "key", "corp", "--prepare");
    expect(twice.code).not.toBe(0);
    expect(twice.text).toContain("has a next key already");
    const used = await shown("corp", "--use");
    expect(used.keys.map(({ state }) => state)).toEqual(["current", "replaced"]);
    expect(used.keys[1]?.id).toBe(first.keys[0]?.id);
    const { text } = await line.rollcall("connection", "key", "corp");
    expect(text).toContain("in use");
    expect(text).toContain("replaced, still opens what comes late");
    expect(text + used.text).not.toContain("PRIVATE");
    const { rows } = await line.db.pool.query<{ data: { state: string } }>(
      "select data from audit_events where name = 'connection.key_changed' and subject_id = 'corp' order by id",
    );
    expect(rows.map(({ data }) => data.state)).toEqual(["in_use", "published", "in_use"]);
  });

  test("a kind of key that was changed begins with the next one; there are none of what is no SAML connection", async () => {
    const [key] = (await shown("curved")).keys;
    expect(Buffer.from(key?.certificate.replaceAll(/-----[A-Z ]+-----|\s/g, "") ?? "", "base64").length).toBeLessThan(600);
    const nobody = await line.rollcall("connection", "key", "nobody");
    expect(nobody.code).not.toBe(0);
  });
});

test("G4: rotating the master key seals our own keys at identity providers anew, and they are the same keys", async () => {
  const id = (await line.db.pool.query<{ id: number }>("select id from connections where name = 'corp'")).rows[0]?.id ?? 0;
  const connection = { id, name: "corp", settings: { keyType: "rsa" as const } };
  const sealedWith = async () => {
    const { rows } = await line.db.pool.query<{ sealed: string }>("select private_key as sealed from saml_keys");
    return new Set(rows.map(({ sealed }) => keyIdOf(sealed)));
  };
  const before = await ownKeys(line.db.pool, { connection, keyRing: loadKeyRing(line.config) });
  expect(before.length).toBeGreaterThan(0);
  expect(await sealedWith()).toEqual(new Set([loadKeyRing(line.config).current.id]));
  const { code, text } = await line.rollcall("key", "rotate");
  expect(text).toContain("Sealed");
  expect(code).toBe(0);
  const { current, older } = loadKeyRing(line.config);
  expect(older).toEqual([]);
  expect(await sealedWith()).toEqual(new Set([current.id]));
  expect(await ownKeys(line.db.pool, { connection, keyRing: { current, older: [] } })).toEqual(before);
}, 60_000);

test("G4: rollcall connection check tells of a SAML connection what it finds, and that there are no records to try a mapping on", async () => {
  const { code, text } = await line.rollcall("connection", "check", "corp");
  expect(code).not.toBe(0);
  expect(text).toMatch(/ok {4}Certificates: RSA 2048 from 2026-01-01/);
  expect(text).toContain("FAIL  Our address: http://localhost:8080");
  expect(text).toContain("FAIL  Sign-in request: https://127.0.0.1:1/sso");
  expect(text).toContain("ok    Records: there are none to try the mapping on");
});
