import { randomBytes } from "node:crypto";
import type { Sql, Work } from "../../db/database.ts";
import { hashOfSecret } from "../sessions/session.ts";
import { leavingSchema, type Leaving } from "./outgoing.ts";

/** How long somebody may take to sign in at the identity provider. */
const MINUTES = 15;

export interface NewRequest {
  kind: "sign_in" | "sign_out";
  connectionId: number;
  /** Hash of the secret in the browser's cookie: an answer is taken from that browser only. */
  browser?: Buffer | undefined;
  /** The sign-in that it belongs to, where that began before. */
  signInId?: string | undefined;
  /** A path of ours. */
  returnTo?: string | undefined;
}

/** An id that nobody can guess; xs:ID must not begin with a digit. */
export function newMessageId(): string {
  return `_${randomBytes(20).toString("hex")}`;
}

export function isMessageId(text: string): boolean {
  return /^_[0-9a-f]{40}$/.test(text);
}

/** Keeps a request until its answer comes; returns its id, which goes out in it. */
export async function rememberRequest(
  { ctx, sql }: Work,
  { kind, connectionId, browser, signInId, returnTo }: NewRequest,
): Promise<string> {
  const id = newMessageId();
  const now = ctx.now();
  await sql.query(
    `insert into saml_requests (id, kind, connection_id, browser, sign_in_id, return_to, created_at, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [id, kind, connectionId, browser ?? null, signInId ?? null, returnTo ?? null, now, new Date(now.getTime() + MINUTES * 60_000)],
  );
  return id;
}

/** Keeps how the browser is to be sent with a request to sign out, until it comes to be sent there. */
export async function keepLeaving({ sql }: Pick<Work, "sql">, { id, leaving }: { id: string; leaving: Leaving }): Promise<void> {
  await sql.query("update saml_requests set return_to = $2 where id = $1", [id, JSON.stringify(leaving)]);
}

/** Takes that, once. Undefined when there is none any more. */
export async function takeLeaving(
  { ctx, sql }: Work,
  { id, connectionId }: Pick<Answer, "id" | "connectionId">,
): Promise<Leaving | undefined> {
  const { rows } = await sql.query<{ leaving: string }>(
    `update saml_requests r set return_to = null from (select id, return_to as leaving from saml_requests where id = $1 for update) before
     where r.id = before.id and r.kind = 'sign_out' and r.connection_id = $2 and r.expires_at > $3 and before.leaving is not null
     returning before.leaving`,
    [id, connectionId, ctx.now()],
  );
  return rows[0] && leavingSchema.parse(JSON.parse(rows[0].leaving));
}

export interface Answer {
  /** InResponseTo. */
  id: string;
  kind: NewRequest["kind"];
  connectionId: number;
  browser?: Buffer | undefined;
}

export interface UsedRequest {
  createdAt: Date;
  returnTo: string | null;
  signInId: string | null;
}

/** Uses the request up that an answer is to; of two answers one finds it. Undefined when nobody asked, it is too late, or another browser did. */
export async function useRequest({ ctx, sql }: Work, { id, kind, connectionId, browser }: Answer): Promise<UsedRequest | undefined> {
  const { rows } = await sql.query<UsedRequest>(
    `delete from saml_requests where id = $1 and kind = $2 and connection_id = $3 and expires_at > $4 and browser is not distinct from $5
     returning created_at as "createdAt", return_to as "returnTo", sign_in_id as "signInId"`,
    [id, kind, connectionId, ctx.now(), browser ?? null],
  );
  return rows[0];
}

/** The secret in a browser's cookie, if a request that it made waits for its answer; null if none does. */
export async function browserThatAsked(sql: Sql, { browser, now }: { browser: string | undefined; now: Date }): Promise<string | null> {
  if (browser === undefined) return null;
  const { rowCount } = await sql.query("select from saml_requests where browser = $1 and expires_at > $2 limit 1", [
    hashOfSecret(browser),
    now,
  ]);
  return rowCount ? browser : null;
}

/** Forgets requests that nobody answered, for the daily upkeep; returns how many. */
export async function forgetRequests({ ctx, sql }: Work): Promise<number> {
  const { rowCount } = await sql.query("delete from saml_requests where expires_at < $1", [ctx.now()]);
  return rowCount ?? 0;
}
