import { createPrivateKey, generateKeyPair, randomUUID } from "node:crypto";
import { promisify } from "node:util";
import type { SamlSettings } from "../../../connectors/saml/config.ts";
import { recordEvent } from "../../audit/record.ts";
import type { Sql, Work } from "../../db/database.ts";
import { open, samlKeyPurpose, seal, type KeyRing } from "../../db/envelope.ts";
import { AppError } from "../../errors.ts";
import { selfSignedCertificate } from "./certificate.ts";

/** A key pair of ours at one identity provider; it signs what we send and opens what is encrypted for us. */
export interface OwnKey {
  id: string;
  /** next: published, and not used for signing until every identity provider has read it. replaced: still opens what comes late. */
  state: "current" | "next" | "replaced";
  certificate: string;
  /** PEM; never logged. */
  privateKey: string;
}

export interface KeyOptions {
  connection: { id: number; name: string; settings: Pick<SamlSettings, "keyType"> };
  keyRing: KeyRing;
}

/** How long a key that was replaced opens what identity providers still encrypt with it. */
const KEPT_DAYS = 30;
const VALID_YEARS = 10;
/** What every identity provider takes; a roll-over makes others. */
const BITS = 2048;
const CURVE = "P-256";

/** The connection's keys: the one in use, then the next, then those replaced, the latest first. */
export async function ownKeys(sql: Sql, { connection, keyRing }: KeyOptions): Promise<OwnKey[]> {
  const { rows } = await sql.query<{ id: string; state: OwnKey["state"]; certificate: string; private_key: string }>(
    `select id, state, certificate, private_key from saml_keys where connection_id = $1
     order by array_position(array['current', 'next', 'replaced'], state), replaced_at desc`,
    [connection.id],
  );
  return rows.map(({ id, state, certificate, private_key: sealed }) => ({
    id,
    state,
    certificate,
    privateKey: open(keyRing, { purpose: samlKeyPurpose(id), sealed }),
  }));
}

/** The same, after making the first where there is none. Of several who come at once, one makes it. */
export async function ensureOwnKeys(work: Work, options: KeyOptions): Promise<OwnKey[]> {
  const known = await ownKeys(work.sql, options);
  if (known.some(({ state }) => state === "current")) return known;
  await insertKey(work, { ...options, state: "current" });
  return ownKeys(work.sql, options);
}

/** The one in use, of keys that were ensured. */
export function currentKey(keys: readonly OwnKey[]): OwnKey {
  const current = keys.find(({ state }) => state === "current");
  if (!current) throw new Error("a connection's own key was ensured and is not there");
  return current;
}

/**
 * Begins a roll-over: the next key is published in our metadata beside the one in use. Throws `conflict` when one waits already.
 */
export async function prepareNextKey(work: Work, options: KeyOptions): Promise<void> {
  await ensureOwnKeys(work, options);
  if (!(await insertKey(work, { ...options, state: "next" })))
    throw new AppError("conflict", `The connection ${options.connection.name} has a next key already: let it take over first.`);
}

/** Ends a roll-over: the next key signs from now on. Throws `conflict` when none was prepared. */
export async function useNextKey(work: Work, { connection }: { connection: Pick<KeyOptions["connection"], "id" | "name"> }): Promise<void> {
  const { sql, ctx } = work;
  const { rowCount } = await sql.query("select from saml_keys where connection_id = $1 and state = 'next' for update", [connection.id]);
  if (!rowCount)
    throw new AppError(
      "conflict",
      `The connection ${connection.name} has no next key: prepare one, and let the identity provider read our metadata.`,
    );
  await sql.query("update saml_keys set state = 'replaced', replaced_at = $2 where connection_id = $1 and state = 'current'", [
    connection.id,
    ctx.now(),
  ]);
  await sql.query("update saml_keys set state = 'current' where connection_id = $1 and state = 'next'", [connection.id]);
  await recordKey(work, connection.name, "in_use");
}

/** Forgets keys that were replaced long ago, for the daily upkeep; returns how many. */
export async function forgetReplacedKeys({ ctx, sql }: Work): Promise<number> {
  const { rowCount } = await sql.query("delete from saml_keys where state = 'replaced' and replaced_at < $1", [
    new Date(ctx.now().getTime() - KEPT_DAYS * 86_400_000),
  ]);
  return rowCount ?? 0;
}

async function insertKey(work: Work, { connection, keyRing, state }: KeyOptions & { state: "current" | "next" }): Promise<boolean> {
  const { ctx, sql } = work;
  const pem = await newPrivateKey(connection.settings);
  const [from, until] = [ctx.now(), new Date(ctx.now())];
  until.setUTCFullYear(until.getUTCFullYear() + VALID_YEARS);
  const certificate = selfSignedCertificate({
    privateKey: createPrivateKey(pem),
    commonName: `Rollcall ${connection.name}`.slice(0, 64),
    from,
    until,
  });
  const id = randomUUID();
  const { rowCount } = await sql.query(
    `insert into saml_keys (id, connection_id, state, certificate, private_key, created_at) values ($1, $2, $3, $4, $5, $6)
     on conflict do nothing`,
    [id, connection.id, state, certificate, seal(keyRing.current, { purpose: samlKeyPurpose(id), plain: pem }), from],
  );
  if (rowCount) await recordKey(work, connection.name, state === "next" ? "published" : "in_use");
  return Boolean(rowCount);
}

/** PEM. */
async function newPrivateKey({ keyType }: Pick<SamlSettings, "keyType">): Promise<string> {
  const { privateKey } =
    keyType === "ec"
      ? await promisify(generateKeyPair)("ec", { namedCurve: CURVE })
      : await promisify(generateKeyPair)("rsa", { modulusLength: BITS });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

async function recordKey(work: Work, name: string, state: "published" | "in_use"): Promise<void> {
  await recordEvent(work, { name: "connection.key_changed", subjectType: "connection", subjectId: name, data: { name, state } });
}
