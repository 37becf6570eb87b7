import { jwtVerify, type JWTPayload, type JWTVerifyGetKey } from "jose";
import { tokenAlgorithms, type ProviderMetadata } from "../../../connectors/kit/openid-metadata.ts";
import { isStorable } from "../../../connectors/kit/storable-text.ts";
import { AppError } from "../../errors.ts";
import { isEncrypted, openedToken, type DecryptionKey } from "./decryption.ts";
import { notBelieved, reasonOf } from "./provider-errors.ts";

export interface TokenChecks {
  metadata: ProviderMetadata;
  keyOf: JWTVerifyGetKey;
  clientId: string;
  now: Date;
  clockSkewSeconds: number;
  /** Opens tokens that are encrypted; absent = none is. */
  decryption?: DecryptionKey | undefined;
}

export interface IdTokenChecks extends TokenChecks {
  /** Undefined for tokens of a refresh, which need not repeat it. */
  nonce: string | undefined;
  /** Seconds; how old the sign-in there may be. */
  maxAge?: number | undefined;
  /** Refuse a token that is not encrypted. */
  requireEncryption?: boolean;
}

/** No token of a provider is longer. */
const MOST_CHARACTERS = 32 * 1024;
/** RFC 8725 section 3.11: a token of another kind is none of these. */
const ID_TOKEN_TYPES: ReadonlySet<string | undefined> = new Set([undefined, "jwt", "JWT"]);

/** Claims that are kept to know somebody, or their session, by. */
const NAMING = ["sub", "sid", "jti", "oid"] as const;

export type IdToken = JWTPayload & { sub: string };

/**
 * An ID token's claims, once everything that OpenID Connect Core 1.0 section 3.1.3.7 asks of it holds: a signature by one of the
 * provider's own keys and asymmetric algorithms, issuer, audience, times, nonce. Throws `forbidden` saying which does not hold, and
 * `unavailable` when the provider's keys can't be read.
 */
export async function verifyIdToken(token: string, checks: IdTokenChecks): Promise<IdToken> {
  const { clientId, nonce, now, clockSkewSeconds, maxAge, metadata } = checks;
  const refuse = (reason: string) => notBelieved(metadata.issuer, `its ID token ${reason}`);
  if (checks.requireEncryption === true && !isEncrypted(token)) throw refuse("is not encrypted, as this connection asks");
  const claims = await verifySigned(token, { ...checks, what: "ID token", types: ID_TOKEN_TYPES });
  const { sub, aud, exp, azp } = claims;
  if (typeof sub !== "string" || sub === "" || sub.length > 255) throw refuse("names nobody");
  if (exp === undefined) throw refuse("has no end");
  if (azp !== undefined && azp !== clientId) throw refuse("was issued to another client (azp)");
  if (Array.isArray(aud) && aud.length > 1 && azp === undefined) throw refuse("is for several clients and says not for which (azp)");
  if (nonce !== undefined && claims["nonce"] !== nonce) throw refuse("has another nonce");
  if (maxAge !== undefined) {
    const at = claims["auth_time"];
    if (typeof at !== "number") throw refuse("does not say when the person signed in (auth_time)");
    if (at + maxAge + clockSkewSeconds < seconds(now)) throw refuse("is of a sign-in too long ago (auth_time)");
  }
  return { ...claims, sub };
}

export interface SignedChecks extends TokenChecks {
  /** What sentences call it. */
  what: string;
  /** What `typ` may be. */
  types: ReadonlySet<string | undefined>;
}

/** What ID tokens and logout tokens have to hold alike, opened where they are encrypted: signature, algorithm, `typ`, issuer, audience, `exp`, `nbf`, `iat`. */
export async function verifySigned(token: string, checks: SignedChecks): Promise<JWTPayload> {
  const { metadata, keyOf, clientId, now, clockSkewSeconds, what, types } = checks;
  const refuse = (reason: string, cause?: unknown) => notBelieved(metadata.issuer, `its ${what} ${reason}`, cause);
  if (token.length > MOST_CHARACTERS) throw refuse("is too long");
  const signed = await signedToken(token, checks);
  const { payload, protectedHeader } = await jwtVerify(signed, keyOf, {
    // Pinned to the provider's asymmetric ones: neither `none`, nor HS256 keyed with what is public.
    algorithms: tokenAlgorithms(metadata),
    issuer: metadata.issuer,
    audience: clientId,
    currentDate: now,
    clockTolerance: clockSkewSeconds,
  }).catch((error: unknown) => {
    if (error instanceof AppError) throw error;
    throw refuse(`does not hold: ${reasonOf(error)}`, error);
  });
  if (!types.has(protectedHeader.typ)) throw refuse(`is something else (typ ${String(protectedHeader.typ).slice(0, 40)})`);
  if (NAMING.some((name) => !isStorable(String(payload[name])))) throw refuse("names somebody by characters that can't be kept");
  if (typeof payload.iat !== "number") throw refuse("does not say when it was issued");
  if (payload.iat > seconds(now) + clockSkewSeconds) throw refuse("was issued in the future");
  return payload;
}

/** Encryption alone proves nobody: whoever knows our public key can do it. What comes out must be signed, and is judged as if it had come so. */
async function signedToken(token: string, { metadata, what, decryption }: SignedChecks): Promise<string> {
  if (!isEncrypted(token)) return token;
  const refuse = (reason: string, cause?: unknown) => notBelieved(metadata.issuer, `its ${what} ${reason}`, cause);
  if (!decryption) throw refuse("is encrypted, and there is no encryptionKey to open it with");
  const opened = await openedToken(token, decryption).catch((error: unknown) => {
    throw refuse(`does not open: ${reasonOf(error)}`, error);
  });
  if (isEncrypted(opened)) throw refuse("is encrypted twice");
  return opened;
}

export function seconds(at: Date): number {
  return Math.floor(at.getTime() / 1000);
}
