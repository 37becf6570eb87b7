import { randomBytes } from "node:crypto";
import type { Work } from "../../db/database.ts";

/** How long somebody may take to sign in at the identity provider. */
const MINUTES = 15;

export interface NewRequest {
  kind: "sign_in" | "sign_out";
  connectionId: number;
  /** Hash of the secret in the browser's cookie: an answer is taken from that browser only. */
  browser?: Buffer | undefined;
  /** A path of ours. */
  returnTo?: string | undefined;
}

/** An id that nobody can guess; xs:ID must not begin with a digit. */
export function newMessageId(): string {
  return `_${randomBytes(20).toString("hex")}`;
}

/** Keeps a request until its answer comes; returns its id, which goes out in it. */
export async function rememberRequest({ ctx, sql }: Work, { kind, connectionId, browser, returnTo }: NewRequest): Promise<string> {
  const id = newMessageId();
  const now = ctx.now();
  await sql.query(
    "insert into saml_requests (id, kind, connection_id, browser, return_to, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7)",
    [id, kind, connectionId, browser ?? null, returnTo ?? null, now, new Date(now.getTime() + MINUTES * 60_000)],
  );
  return id;
}

export interface Answer {
  /** InResponseTo. */
  id: string;
  kind: NewRequest["kind"];
  connectionId: number;
  browser?: Buffer | undefined;
}

/** Uses the request up that an answer is to; of two answers one finds it. Undefined when nobody asked, it is too late, or another browser did. */
export async function useRequest(
  { ctx, sql }: Work,
  { id, kind, connectionId, browser }: Answer,
): Promise<{ returnTo: string | null } | undefined> {
  const { rows } = await sql.query<{ returnTo: string | null }>(
    `delete from saml_requests where id = $1 and kind = $2 and connection_id = $3 and expires_at > $4 and browser is not distinct from $5
     returning return_to as "returnTo"`,
    [id, kind, connectionId, ctx.now(), browser ?? null],
  );
  return rows[0];
}

/** Forgets requests that nobody answered, for the daily upkeep; returns how many. */
export async function forgetRequests({ ctx, sql }: Work): Promise<number> {
  const { rowCount } = await sql.query("delete from saml_requests where expires_at < $1", [ctx.now()]);
  return rowCount ?? 0;
}
