import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { recordEvent } from "../audit/record.ts";
import { KEY_FILE_CHECKED_EVERY_MS, keyFile, loadKeyRing, writeKeyFile, type Config } from "../config.ts";
import type { Context } from "../context.ts";
import { inTransaction, type Database, type Sql, type Work } from "../db/database.ts";
import { keyIdOf, open, personKeyPurpose, samlKeyPurpose, seal, sealingKey, type KeyRing } from "../db/envelope.ts";
import { AppError } from "../errors.ts";
import { hookSecretPurpose } from "./hooks/state.ts";
import { sealIdempotentAnswers, sealImports, sealSignIns, sealUploads } from "./rotate-kept.ts";
import { secretPurpose, type SealedSecrets } from "./secrets.ts";

export interface RotateOptions {
  db: Database;
  config: Config;
  /** How long to wait for transactions that may still seal with the older key; 60 s when absent. */
  patienceMs?: number;
}

export interface Rotation {
  from: string;
  to: string;
  /** Values that were sealed anew. */
  values: number;
  /** False when a long transaction went on: the older key then stays in the key file; rotate again to drop it. */
  olderKeyDropped: boolean;
}

/**
 * Seals every secret and every person's key with a new master key. The key file gets the new key first and keeps the older
 * until nothing needs it, so that a crash at any point loses nothing and the next call goes on from there.
 * With ROLLCALL_KEY the operator brings the new key: throws `invalid` saying how when there is nothing to seal anew.
 */
export async function rotateKey(ctx: Context, { db, config, patienceMs = 60_000 }: RotateOptions): Promise<Rotation> {
  const ownFile = config.key === undefined;
  const before = ownFile ? beginInFile(config) : loadKeyRing(config).older;
  const { current, older } = loadKeyRing(config);
  const ring: KeyRing = { current, older };
  const from = before.map(({ id }) => id).join(", ") || "none";
  const to = ring.current.id;
  // From here on every process seals with the new key.
  await sleep(2 * KEY_FILE_CHECKED_EVERY_MS);
  const began = await clockOf(db);
  let values = await inTransaction(db, ctx, async (work) => {
    const count = await sealAnew(work, ring);
    if (count > 0 || ownFile) await recordEvent(work, { name: "key.rotated", data: { from, to, values: count } });
    return count;
  });
  if (!ownFile && values === 0) {
    throw new AppError(
      "invalid",
      "Everything is sealed with ROLLCALL_KEY already. To rotate: put the key in use now under olderKeys in config/local.yaml, set ROLLCALL_KEY to a new one (`openssl rand -hex 32`), restart every node, and run this again.",
      { field: "ROLLCALL_KEY" },
    );
  }
  const settled = await olderTransactionsEnded(db, { began, patienceMs, signal: ctx.signal });
  values += await inTransaction(db, ctx, (work) => sealAnew(work, ring));
  if (ownFile && settled) writeKeyFile(keyFile(config), [ring.current]);
  return { from, to, values, olderKeyDropped: settled };
}

/** Puts a new key in front, unless a rotation was interrupted: then that one is finished. Returns the keys it replaces. */
function beginInFile(config: Config): KeyRing["older"] {
  const keyRing = loadKeyRing(config);
  if (keyRing.older.length > config.olderKeys.length) return keyRing.older;
  const replaced = keyRing.current;
  writeKeyFile(keyFile(config), [sealingKey(randomBytes(32)), replaced]);
  return [replaced];
}

/** Seals anew what another key sealed; says how many values that were. */
async function sealAnew({ sql }: Work, ring: KeyRing): Promise<number> {
  let count = 0;
  for (const seals of [
    sealConnections,
    sealHooks,
    sealSamlKeys,
    sealPersonKeys,
    sealImports,
    sealIdempotentAnswers,
    sealUploads,
    sealSignIns,
  ])
    count += await seals(sql, ring);
  return count;
}

async function sealConnections(sql: Sql, ring: KeyRing): Promise<number> {
  const { rows } = await sql.query<{ id: number; name: string; secrets: SealedSecrets }>(
    "select id, name, secrets from connections where secrets <> '{}' order by id for update",
  );
  let count = 0;
  for (const { id, name, secrets } of rows) {
    const { renewed, changed } = secretsAgain(ring, { connection: name, secrets });
    if (changed > 0) await sql.query("update connections set secrets = $2 where id = $1", [id, JSON.stringify(renewed)]);
    count += changed;
  }
  return count;
}

function secretsAgain(
  ring: KeyRing,
  { connection, secrets }: { connection: string; secrets: SealedSecrets },
): { renewed: SealedSecrets; changed: number } {
  const renewed = Object.fromEntries(
    Object.entries(secrets).map(([field, sealed]) => [field, again(ring, { purpose: secretPurpose({ connection, field }), sealed })]),
  );
  return { renewed, changed: Object.keys(renewed).filter((field) => renewed[field] !== secrets[field]).length };
}

interface HookSecretsRow {
  id: number;
  name: string;
  secret: string | null;
  next_secret: string | null;
  secrets: SealedSecrets | null;
}

/** The secrets of change notifications, and those that a removed connection left until its subscriptions are ended. */
async function sealHooks(sql: Sql, ring: KeyRing): Promise<number> {
  const { rows } = await sql.query<HookSecretsRow>(
    `select h.connection_id as id, coalesce(c.name, h.left_behind #>> '{row,name}') as name, h.secret, h.next_secret, h.left_behind #> '{row,secrets}' as secrets
     from hooks h left join connections c on c.id = h.connection_id where h.secret is not null or h.left_behind is not null
     order by 1 for update of h`,
  );
  let count = 0;
  for (const { id, name, secret, next_secret: next, secrets } of rows) {
    const [renewed, renewedNext] = [secret, next].map((sealed) =>
      sealed === null ? null : again(ring, { purpose: hookSecretPurpose(name), sealed }),
    );
    if (renewed !== secret || renewedNext !== next)
      await sql.query("update hooks set secret = $2, next_secret = $3 where connection_id = $1", [id, renewed, renewedNext]);
    const left = secretsAgain(ring, { connection: name, secrets: secrets ?? {} });
    if (left.changed > 0)
      await sql.query("update hooks set left_behind = jsonb_set(left_behind, '{row,secrets}', $2::jsonb) where connection_id = $1", [
        id,
        JSON.stringify(left.renewed),
      ]);
    count += (renewed === secret ? 0 : 1) + (renewedNext === next ? 0 : 1) + left.changed;
  }
  return count;
}

async function sealSamlKeys(sql: Sql, ring: KeyRing): Promise<number> {
  const { rows } = await sql.query<{ id: string; sealed: string }>(
    "select id, private_key as sealed from saml_keys where not starts_with(private_key, $1) order by id for update",
    [`v1.${ring.current.id}.`],
  );
  for (const { id, sealed } of rows)
    await sql.query("update saml_keys set private_key = $2 where id = $1", [id, again(ring, { purpose: samlKeyPurpose(id), sealed })]);
  return rows.length;
}

async function sealPersonKeys(sql: Sql, ring: KeyRing): Promise<number> {
  let count = 0;
  for (;;) {
    // What the current key sealed begins with its id: a batch finds only what is left.
    const { rows } = await sql.query<{ person_id: string; wrapped: string }>(
      "select person_id, wrapped from person_keys where not starts_with(wrapped, $1) limit 1000 for update",
      [`v1.${ring.current.id}.`],
    );
    if (rows.length === 0) return count;
    const renewed = rows.map(({ person_id, wrapped }) => ({
      person_id,
      wrapped: again(ring, { purpose: personKeyPurpose(person_id), sealed: wrapped }),
    }));
    await sql.query(
      "update person_keys k set wrapped = n.wrapped from jsonb_to_recordset($1::jsonb) as n (person_id uuid, wrapped text) where k.person_id = n.person_id",
      [JSON.stringify(renewed)],
    );
    count += rows.length;
  }
}

function again(ring: KeyRing, { purpose, sealed }: { purpose: string; sealed: string }): string {
  if (keyIdOf(sealed) === ring.current.id) return sealed;
  return seal(ring.current, { purpose, plain: open(ring, { purpose, sealed }) });
}

/** The database's own clock, to compare with the start of its transactions. */
async function clockOf({ pool }: Database): Promise<string> {
  const { rows } = await pool.query<{ at: string }>("select clock_timestamp()::text as at");
  return rows[0]?.at ?? "";
}

/** A transaction that began before the new key was in place may yet write a value that the older key sealed. */
async function olderTransactionsEnded(
  { pool }: Database,
  { began, patienceMs, signal }: { began: string; patienceMs: number; signal: AbortSignal },
): Promise<boolean> {
  for (let waited = 0; ; waited += 100) {
    const { rowCount } = await pool.query(
      "select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and xact_start < $1::timestamptz and backend_type = 'client backend'",
      [began],
    );
    if (!rowCount) return true;
    if (waited >= patienceMs || signal.aborted) return false;
    await sleep(100);
  }
}
