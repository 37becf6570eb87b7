import type { Work } from "../../db/database.ts";
import { seconds, verifySigned, type TokenChecks } from "./id-token.ts";
import { notBelieved } from "./provider-errors.ts";

const EVENT = "http://schemas.openid.net/event/backchannel-logout";
/** Providers older than the recommendation of `logout+jwt` send none, or that of any JWT. */
const LOGOUT_TOKEN_TYPES: ReadonlySet<string | undefined> = new Set([undefined, "jwt", "JWT", "logout+jwt"]);
/** A token is believed for so long after it was issued, whatever end it names. */
const OLDEST_SECONDS = 10 * 60;

export interface LogoutToken {
  /** Who is to be signed out, and which of their sessions there: at least one of the two. */
  subject: string | undefined;
  session: string | undefined;
  id: string;
  /** From when on it is too old to be believed again. */
  expiresAt: Date;
}

/**
 * A logout token (OpenID Connect Back-Channel Logout 1.0 section 2.6), all of its checks but that of repetition. Throws `forbidden`
 * saying which does not hold.
 */
export async function verifyLogoutToken(token: string, checks: TokenChecks): Promise<LogoutToken> {
  const { metadata, now, clockSkewSeconds } = checks;
  const refuse = (reason: string) => notBelieved(metadata.issuer, `its logout token ${reason}`);
  const claims = await verifySigned(token, { ...checks, what: "logout token", types: LOGOUT_TOKEN_TYPES });
  const { sub, jti, iat = 0, events, sid } = claims;
  // An ID token has one, and must not be of use here.
  if (claims["nonce"] !== undefined) throw refuse("has a nonce");
  if (typeof events !== "object" || events === null || !isObject((events as Readonly<Record<string, unknown>>)[EVENT]))
    throw refuse("is of no logout (events)");
  if (iat + OLDEST_SECONDS + clockSkewSeconds < seconds(now)) throw refuse("is too old");
  if (typeof jti !== "string" || jti === "" || jti.length > 512) throw refuse("has no id (jti)");
  const subject = textOf(sub);
  const session = textOf(sid);
  if (subject === undefined && session === undefined) throw refuse("names neither a person nor a session");
  return { subject, session, id: jti, expiresAt: new Date((iat + OLDEST_SECONDS + clockSkewSeconds + 1) * 1000) };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= 512 ? value : undefined;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Uses a logout token up. False = it was used before. */
export async function useLogoutToken(
  { sql }: Work,
  { connectionId, token }: { connectionId: number; token: Pick<LogoutToken, "id" | "expiresAt"> },
): Promise<boolean> {
  const { rowCount } = await sql.query(
    "insert into oidc_logout_tokens (connection_id, token_id, expires_at) values ($1, $2, $3) on conflict do nothing",
    [connectionId, token.id, token.expiresAt],
  );
  return rowCount === 1;
}

/** Forgets logout tokens that could not be used any more, for the daily upkeep; returns how many. */
export async function forgetLogoutTokens({ ctx, sql }: Work): Promise<number> {
  const { rowCount } = await sql.query("delete from oidc_logout_tokens where expires_at < $1", [ctx.now()]);
  return rowCount ?? 0;
}
