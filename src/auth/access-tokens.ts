import { errors, jwtVerify, type JWTPayload } from "jose";
import type { IssuerSettings } from "../../connectors/scim-inbound/config.ts";
import { AppError } from "../errors.ts";
import type { KeySets } from "./key-sets.ts";

/** What a request's headers may have in all: Entra puts up to 200 groups into a token, which are ten thousand letters. */
const LONGEST = 16 * 1024;
const FORM = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** Whether a bearer token has the form of a JSON Web Token; nothing of it is believed yet. */
export function isJsonWebToken(bearer: string): boolean {
  return bearer.length <= LONGEST && bearer.startsWith("ey") && FORM.test(bearer);
}

/** What a token says, with who it says it is from; not believed yet: only to find whose keys it must fit. */
export function claimedBy(bearer: string): { issuer: string; payload: JWTPayload } | undefined {
  try {
    const payload = JSON.parse(Buffer.from(bearer.split(".")[1] ?? "", "base64url").toString("utf8")) as JWTPayload;
    return typeof payload.iss === "string" ? { issuer: payload.iss.slice(0, 500), payload } : undefined;
  } catch {
    // Nonsense is refused like any token that nobody issued.
    return undefined;
  }
}

/** Claims that are several words in one text: RFC 9068 has the one, Entra the other. */
const SCOPES: ReadonlySet<string> = new Set(["scope", "scp"]);

/** The first of the claims that a connection asks for which a token does not have as it should; undefined when it has them all. */
export function missingClaim(payload: JWTPayload, claims: IssuerSettings["claims"]): string | undefined {
  return Object.entries(claims).find(([name, allowed]) => {
    const value: unknown = Object.hasOwn(payload, name) ? payload[name] : undefined;
    const values = Array.isArray(value) ? value : typeof value === "string" && SCOPES.has(name) ? value.split(" ") : [value];
    return !values.some((one) => typeof one === "string" && allowed.includes(one));
  })?.[0];
}

/** The name under which the client acts: the application's id, as issuers call it. */
export function clientNameOf(payload: JWTPayload): string {
  const claim = ["appid", "azp", "client_id", "sub"].map((name) => payload[name]).find((value) => typeof value === "string");
  return typeof claim === "string" ? claim.replaceAll(/[^\w.@:-]/g, "_").slice(0, 100) : "jwt";
}

/**
 * Checks signature, issuer, audience, times and required claims of an access token (RFC 9068 section 4, RFC 8725).
 * Throws `unauthenticated` saying which of them it is; `unavailable` when the issuer's keys can't be read.
 */
export async function verifyAccessToken(
  bearer: string,
  { issuer, keys, now }: { issuer: IssuerSettings; keys: KeySets; now: Date },
): Promise<JWTPayload> {
  const { payload } = await jwtVerify(bearer, keys.keyOf(issuer), {
    issuer: issuer.issuer,
    audience: issuer.audience,
    algorithms: issuer.algorithms,
    clockTolerance: issuer.clockSkewSeconds,
    requiredClaims: ["exp"],
    currentDate: now,
  }).catch((error: unknown) => {
    throw error instanceof AppError ? error : refused(reasonOf(error), error);
  });
  const missing = missingClaim(payload, issuer.claims);
  if (missing !== undefined) throw refused(`its claim ${missing} is not one that this connection accepts`);
  return payload;
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "it has expired";
  if (error instanceof errors.JWTClaimValidationFailed) return `its claim ${error.claim} does not fit`;
  if (error instanceof errors.JOSEAlgNotAllowed) return "its algorithm is not allowed";
  if (error instanceof errors.JWKSNoMatchingKey) return "its issuer has no such key";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "its signature does not fit";
  if (error instanceof errors.JWKSMultipleMatchingKeys) return "it does not say by which of its issuer's keys it was signed (kid)";
  // What is wrong with a key (too short, not one at all) only shows when it is used, as an error of no class of its own.
  return error instanceof errors.JOSEError ? "it can't be checked" : "the key of its issuer can't be used";
}

export function refused(reason: string, cause?: unknown): AppError {
  return new AppError("unauthenticated", `The access token is not valid: ${reason}.`, { field: "token", cause });
}
