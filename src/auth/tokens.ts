import { createHash, randomBytes, randomInt, randomUUID, timingSafeEqual } from "node:crypto";
import { recordEvent } from "../audit/record.ts";
import { ensureScimConnection } from "../connections/builtin.ts";
import type { Sql, Work } from "../db/database.ts";
import type { SharedRead, SharedReads } from "../db/shared-reads.ts";
import { CATALOGUE_VERSION } from "../directory/custom-attributes.ts";
import { ownTimeEnds, ownTimeStamp, withinOwnTime } from "../directory/own-time.ts";
import { AppError } from "../errors.ts";
import { networkOf } from "./network.ts";

/** `feed` hands in files for its connection, and nothing else. */
export type TokenScope = "scim" | "api" | "feed";

export interface NewToken {
  name: string;
  scope: TokenScope;
  /** Whose client it is; a SCIM token without one belongs to the built-in connection. */
  connectionId?: number;
  /** Ends with that person's access. */
  personId?: string;
  /** Who answers for a service's token, which does at most what that person may; nobody but the operator when absent. */
  responsibleId?: string | undefined;
  expiresAt?: Date;
  /** What a token of scope `api` is narrowed to; absent = all that its person may do, or for a service all there is. */
  permissions?: readonly string[] | undefined;
  /** Units, with all below them, to which it is narrowed. */
  unitIds?: readonly string[] | undefined;
}

/** The connection that a token writes through, as the statement that finds the token reads it. */
export interface TokenConnection {
  id: number;
  name: string;
  enabled: boolean;
  /** Moves whenever its definition changes. */
  version: number;
  /** JSON, as stored; without secrets. */
  settings: string;
}

/** Who came with a token. */
export interface TokenHolder {
  id: string;
  name: string;
  scope: TokenScope;
  connection: TokenConnection | null;
  personId: string | null;
  permissions: readonly string[] | null;
  unitIds: readonly string[] | null;
  /** Who answers for a service's token; null = the operator. */
  responsibleId: string | null;
  /** The client that fetched it at the token endpoint; null for every other token. */
  oauthClientId: string | null;
  /** Which state of the organisation's own attributes holds. */
  catalogueVersion: number;
  proof: TokenProof;
}

const PREFIX_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789";
const FORM = /^rc_(scim|api|feed)_([a-z0-9]{8})_[A-Za-z0-9_-]{43}$/;

/**
 * Makes a token, `rc_<scope>_<prefix>_<secret>`. Only its SHA-256 is kept: what is returned here is seen once.
 * The prefix is kept readable, so that a leaked token can be found and revoked. Throws `invalid`.
 */
export async function createToken(work: Work, options: NewToken): Promise<{ id: string; token: string }> {
  const { ctx, sql } = work;
  const { name, scope, personId, expiresAt } = options;
  if (name.trim() === "") throw new AppError("invalid", "A token needs a name, by which it can be found and revoked.", { field: "name" });
  if (expiresAt && expiresAt <= ctx.now()) throw new AppError("invalid", "A token can't expire in the past.", { field: "expires" });
  if (scope === "feed" && options.connectionId === undefined)
    throw new AppError("invalid", "A token that hands in files belongs to one connection.", { field: "connection" });
  const connectionId = options.connectionId ?? (scope === "scim" ? await ensureScimConnection(work) : null);
  const id = randomUUID();
  const prefix = Array.from({ length: 8 }, () => PREFIX_LETTERS.charAt(randomInt(PREFIX_LETTERS.length))).join("");
  const token = `rc_${scope}_${prefix}_${randomBytes(32).toString("base64url")}`;
  await sql.query(
    `insert into tokens (id, name, prefix, hash, scope, connection_id, person_id, created_at, expires_at, permissions, unit_ids, responsible_id)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [
      id,
      name,
      prefix,
      hashOf(token),
      scope,
      connectionId,
      personId ?? null,
      ctx.now(),
      expiresAt ?? null,
      options.permissions ?? null,
      options.unitIds ?? null,
      options.responsibleId ?? null,
    ],
  );
  await recordEvent(work, {
    name: "token.created",
    subjectType: "token",
    subjectId: id,
    data: { name, scope, prefix, expires: expiresAt?.toISOString() ?? null },
  });
  return { id, token };
}

/** What the holder of a token was found to be, so that a later request with it can be proved by a look at a few columns. */
export interface TokenProof {
  /** SHA-256 of the token. */
  hash: Buffer;
  /** See TOKEN_STAMP. */
  stamp: string;
  /** When it has to be looked at in full again, whatever the stamp says: its end, and the next noting of its use. */
  until: Date;
}

/**
 * SQL of a text that stays the same as long as what was found about a token's holder holds; null for an unknown token.
 * `hash` is the SQL of the token's SHA-256.
 */
export const TOKEN_STAMP = (hash: string) =>
  `(select concat_ws(' ', proved.id, proved.revoked_at is null, extract(epoch from proved.expires_at), c.id, c.version, c.enabled, p.active, ${ownTimeStamp("p.id")}, ${CATALOGUE_VERSION})
     from tokens proved left join connections c on c.id = proved.connection_id left join people p on p.id = coalesce(proved.person_id, proved.responsible_id)
     where proved.hash = ${hash})`;

interface TokenRow {
  id: string;
  name: string;
  scope: TokenScope;
  hash: Buffer;
  person_id: string | null;
  expires_at: Date | null;
  last_used_at: Date | null;
  revoked_at: Date | null;
  connection_id: number | null;
  connection_name: string | null;
  connection_enabled: boolean | null;
  connection_version: number | null;
  connection_settings: string | null;
  person_active: boolean | null;
  permissions: string[] | null;
  unit_ids: string[] | null;
  responsible_id: string | null;
  oauth_client_id: string | null;
  person_ends: Date | null;
  catalogue_version: number;
  stamp: string;
}

/**
 * Finds the holder of a bearer token. Asks the database each time, so that a revocation acts at once; with `reads` together with
 * others who ask at the same time.
 * Throws `unauthenticated` without saying which of unknown, expired or revoked it is.
 */
export async function authenticateToken(
  sql: Sql,
  { bearer, now, from, reads }: { bearer: string | undefined; now: Date; from?: string | undefined; reads?: SharedReads | undefined },
): Promise<TokenHolder> {
  if (bearer === undefined) throw new AppError("unauthenticated", "A bearer token is needed: send `Authorization: Bearer <token>`.");
  if (!FORM.test(bearer)) throw refused();
  const hash = hashOf(bearer);
  // Prepared once for each connection of the pool: every request begins with it.
  const read: SharedRead = {
    name: "token-holder",
    atOnce: true,
    text: `select t.id, t.name, t.scope, t.hash, t.person_id, t.expires_at, t.last_used_at, t.revoked_at, t.permissions, t.unit_ids, t.responsible_id, t.oauth_client_id,
            c.id as connection_id, c.name as connection_name, c.enabled as connection_enabled,
            c.version as connection_version, c.settings::text as connection_settings, 
            p.active and ${withinOwnTime({ person: "p.id", at: "$2::timestamptz" })} as person_active, ${ownTimeEnds({ person: "p.id", at: "$2::timestamptz" })} as person_ends, ${CATALOGUE_VERSION} as catalogue_version,
            ${TOKEN_STAMP("$1::bytea")} as stamp
     from tokens t left join connections c on c.id = t.connection_id left join people p on p.id = coalesce(t.person_id, t.responsible_id)
     where t.hash = $1::bytea`,
    values: [hash, now.toISOString()],
  };
  const [row] = reads ? await reads.query<TokenRow>(read) : (await sql.query<TokenRow>({ ...read, values: [...read.values] })).rows;
  if (!row || !timingSafeEqual(row.hash, hash)) throw refused();
  if (row.revoked_at || (row.expires_at && row.expires_at <= now) || ((row.person_id ?? row.responsible_id) && row.person_active !== true))
    throw refused();
  const used = await noteUse(sql, { row, now, network: networkOf(from) });
  return {
    id: row.id,
    name: row.name,
    scope: row.scope,
    personId: row.person_id,
    permissions: row.permissions,
    unitIds: row.unit_ids,
    responsibleId: row.responsible_id,
    oauthClientId: row.oauth_client_id,
    connection: connectionOf(row),
    catalogueVersion: row.catalogue_version,
    proof: {
      hash,
      stamp: row.stamp,
      until: earlier(earlier(new Date(used.getTime() + USE_NOTED_EVERY_MS), row.expires_at), row.person_ends),
    },
  };
}

function earlier(first: Date, second: Date | null): Date {
  return second && second < first ? second : first;
}

function connectionOf(row: TokenRow): TokenConnection | null {
  const { connection_id: id, connection_name: name, connection_enabled: enabled } = row;
  if (id === null || name === null) return null;
  return { id, name, enabled: enabled === true, version: row.connection_version ?? 1, settings: row.connection_settings ?? "{}" };
}

function refused(): AppError {
  return new AppError(
    "unauthenticated",
    "The bearer token is not valid: it is unknown, has expired, was revoked, or is that of somebody without access.",
    { field: "token" },
  );
}

const USE_NOTED_EVERY_MS = 60_000;

/** When a token was last used, to the minute: a busy client must not cost a write a request. Returns what is noted now. */
async function noteUse(sql: Sql, { row, now, network }: { row: TokenRow; now: Date; network: string | null }): Promise<Date> {
  const before = new Date(now.getTime() - USE_NOTED_EVERY_MS);
  if (row.last_used_at && row.last_used_at > before) return row.last_used_at;
  // A change of network is noted with where the token was until then: by that it is seen when one comes from a new place.
  await sql.query(
    `with before as (select last_used_at as at, last_used_from as network from tokens where id = $1),
       used as (update tokens set last_used_at = $2, last_used_from = coalesce($4, last_used_from)
         where id = $1 and (last_used_at is null or last_used_at <= $3) returning id, person_id)
     insert into sign_in_attempts (at, kind, outcome, person_id, token_id, network)
     select noted.at, 'token', 'ok', used.person_id, used.id, noted.network
     from used, before, lateral (values (before.at, before.network), ($2::timestamptz, $4::text)) as noted (at, network)
     where $4 is not null and before.network is distinct from $4 and noted.network is not null and noted.at is not null`,
    [row.id, now, before, network],
  );
  return now;
}

/** Revokes a token by its id; it is refused from the next request on. Nothing happens when it was revoked before. Throws `not_found`. */
export async function revokeToken(work: Work, { id, reason }: { id: string; reason: string }): Promise<void> {
  const { rows } = await work.sql.query<{ name: string; revoked_at: Date | null }>(
    "select name, revoked_at from tokens where id = $1 for update",
    [id],
  );
  const row = rows[0];
  if (!row) throw new AppError("not_found", `There is no token with the id ${id}.`, { field: "id" });
  if (row.revoked_at) return;
  await work.sql.query("update tokens set revoked_at = $2, revoked_reason = $3 where id = $1", [id, work.ctx.now(), reason]);
  await recordEvent(work, { name: "token.revoked", subjectType: "token", subjectId: id, reason, data: { name: row.name } });
}

function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
