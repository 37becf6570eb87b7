import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { createToken } from "./tokens.ts";

/** How long an access token works, in seconds. */
export const ACCESS_TOKEN_SECONDS = 3600;

export interface NewOauthClient {
  name: string;
  connectionId: number;
  expiresAt?: Date | undefined;
}

/** Makes a client for the token endpoint. Only its secret's SHA-256 is kept: what is returned here is seen once. Throws `invalid`. */
export async function createOauthClient(
  work: Work,
  { name, connectionId, expiresAt }: NewOauthClient,
): Promise<{ clientId: string; clientSecret: string }> {
  const { ctx, sql } = work;
  if (name.trim() === "") throw new AppError("invalid", "A client needs a name, by which it can be found and revoked.", { field: "name" });
  const clientId = `rcc_${randomBytes(12).toString("hex")}`;
  const clientSecret = `rcs_${randomBytes(32).toString("base64url")}`;
  await sql.query(
    "insert into oauth_clients (id, name, secret_hash, connection_id, created_at, expires_at) values ($1, $2, $3, $4, $5, $6)",
    [clientId, name, hashOf(clientSecret), connectionId, ctx.now(), expiresAt ?? null],
  );
  await recordEvent(work, {
    name: "oauth_client.created",
    subjectType: "oauth_client",
    subjectId: clientId,
    data: { name, expires: expiresAt?.toISOString() ?? null },
  });
  return { clientId, clientSecret };
}

interface ClientRow {
  name: string;
  secret_hash: Buffer;
  connection_id: number;
  expires_at: Date | null;
  revoked_at: Date | null;
  enabled: boolean;
}

/** An expired access token is of no more use to anybody but the trail, which keeps its making. */
const DROP_EXPIRED = "delete from tokens where oauth_client_id = $1 and expires_at < $2";

/**
 * A short-lived access token for a client that shows its id and secret (RFC 6749 section 4.4). Throws `unauthenticated`
 * without saying which of unknown, wrong, expired or revoked it is.
 */
export async function issueAccessToken(
  work: Work,
  { clientId, clientSecret }: { clientId: string; clientSecret: string },
): Promise<{ token: string; seconds: number }> {
  const { ctx, sql } = work;
  const now = ctx.now();
  const { rows } = await sql.query<ClientRow>(
    `select o.name, o.secret_hash, o.connection_id, o.expires_at, o.revoked_at, c.enabled
     from oauth_clients o join connections c on c.id = o.connection_id where o.id = $1 for update of o`,
    [clientId],
  );
  const [client] = rows;
  const isRight = timingSafeEqual(client?.secret_hash ?? hashOf(""), hashOf(clientSecret));
  if (!client || !isRight || client.revoked_at || (client.expires_at && client.expires_at <= now) || !client.enabled)
    throw new AppError("unauthenticated", "The client is not known here, its secret is wrong, or it may no longer come.");
  const end = now.getTime() + ACCESS_TOKEN_SECONDS * 1000;
  const expiresAt = new Date(client.expires_at ? Math.min(end, client.expires_at.getTime()) : end);
  const { id, token } = await createToken(work, { name: client.name, scope: "scim", connectionId: client.connection_id, expiresAt });
  await sql.query("update tokens set oauth_client_id = $2 where id = $1", [id, clientId]);
  await sql.query("update oauth_clients set last_used_at = $2 where id = $1", [clientId, now]);
  await sql.query(DROP_EXPIRED, [clientId, now]);
  return { token, seconds: Math.floor((expiresAt.getTime() - now.getTime()) / 1000) };
}

/** Revokes a client, by its id or name, and every access token that it holds. Throws `not_found`; `conflict` when several have the name. */
export async function revokeOauthClient(
  work: Work,
  { key, reason }: { key: string; reason: string },
): Promise<{ clientId: string; tokens: number }> {
  const { ctx, sql } = work;
  const { rows } = await sql.query<{ id: string; name: string }>(
    "select id, name from oauth_clients where (id = $1 or name = $1) and revoked_at is null order by id for update",
    [key],
  );
  const [client, second] = rows;
  if (!client)
    throw new AppError("not_found", `There is no client "${key}" to revoke; \`rollcall client list\` shows all.`, { field: "client" });
  if (second)
    throw new AppError("conflict", `Several clients are named "${key}": ${rows.map(({ id }) => id).join(", ")}. Name one by its id.`, {
      field: "client",
    });
  await sql.query("update oauth_clients set revoked_at = $2, revoked_reason = $3 where id = $1", [client.id, ctx.now(), reason]);
  const { rowCount } = await sql.query(
    "update tokens set revoked_at = $2, revoked_reason = $3 where oauth_client_id = $1 and revoked_at is null",
    [client.id, ctx.now(), reason],
  );
  const tokens = rowCount ?? 0;
  await recordEvent(work, {
    name: "oauth_client.revoked",
    subjectType: "oauth_client",
    subjectId: client.id,
    reason,
    data: { name: client.name, tokens },
  });
  return { clientId: client.id, tokens };
}

export interface OauthClientLine {
  clientId: string;
  name: string;
  connection: string;
  state: "live" | "expired" | "revoked";
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
}

export async function listOauthClients(sql: Sql, { now }: { now: Date }): Promise<OauthClientLine[]> {
  const { rows } = await sql.query<OauthClientLine>(
    `select o.id as "clientId", o.name, c.name as connection,
       case when o.revoked_at is not null then 'revoked' when o.expires_at <= $1 then 'expired' else 'live' end as state,
       o.created_at as "createdAt", o.expires_at as "expiresAt", o.last_used_at as "lastUsedAt"
     from oauth_clients o join connections c on c.id = o.connection_id order by o.created_at desc, o.id limit 1000`,
    [now],
  );
  return rows;
}

function hashOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
