import { authorizationCodeGrant, fetchUserInfo, type TokenEndpointResponse } from "openid-client";
import { AppError } from "../../errors.ts";
import type { Pending } from "./authorization-request.ts";
import { verifyIdToken, type IdToken } from "./id-token.ts";
import { notBelieved, reasonOf } from "./provider-errors.ts";
import type { Provider } from "./providers.ts";

/** What a provider says of who has signed in there. */
export interface SignedInThere {
  idToken: IdToken;
  /** The ID token's claims, and those of UserInfo that it does not hold. */
  claims: Readonly<Record<string, unknown>>;
  /** For asking again without a sign-in. */
  refreshToken: string | undefined;
}

export interface AuthorizationResponse {
  /** Our own callback address with the query that came. */
  url: URL;
  pending: Pending;
  now: Date;
}

/**
 * Takes a provider's answer (OpenID Connect Core 1.0 section 3.1.2.5): state, the issuer that it comes from (RFC 9207), the code for
 * tokens, the ID token whole, and UserInfo. Throws `forbidden` for what is not to be believed, or when somebody did not sign in there.
 */
export async function authorizationResponse(provider: Provider, { url, pending, now }: AuthorizationResponse): Promise<SignedInThere> {
  const { configuration, settings } = provider;
  const tokens = await authorizationCodeGrant(configuration, url, {
    expectedState: pending.state,
    expectedNonce: pending.nonce,
    pkceCodeVerifier: pending.verifier,
    idTokenExpected: true,
    ...(pending.maxAge === undefined ? {} : { maxAge: pending.maxAge }),
  }).catch((error: unknown) => {
    throw error instanceof AppError ? error : notBelieved(settings.issuer, reasonOf(error), error);
  });
  return await signedInThere(provider, { tokens, nonce: pending.nonce, maxAge: pending.maxAge, now });
}

/** What tokens say of whom they were issued for. Throws `forbidden` for what is not to be believed. */
export async function signedInThere(
  provider: Provider,
  { tokens, nonce, maxAge, now }: { tokens: TokenEndpointResponse; nonce: string | undefined; maxAge?: number | undefined; now: Date },
): Promise<SignedInThere> {
  const { metadata, keyOf, settings, decryption } = provider;
  if (tokens.id_token === undefined) throw notBelieved(settings.issuer, "it gave no ID token");
  const idToken = await verifyIdToken(tokens.id_token, {
    metadata,
    keyOf,
    clientId: settings.clientId,
    now,
    clockSkewSeconds: settings.clockSkewSeconds,
    nonce,
    maxAge,
    decryption,
    requireEncryption: settings.requireEncryption,
  });
  const more = await userInfo(provider, { accessToken: tokens.access_token, subject: idToken.sub });
  return { idToken, claims: mergedClaims({ idToken, more }), refreshToken: tokens.refresh_token };
}

async function userInfo(
  { configuration, settings, metadata }: Provider,
  { accessToken, subject }: { accessToken: string; subject: string },
): Promise<Readonly<Record<string, unknown>>> {
  if (!settings.userInfo || metadata.userinfo_endpoint === undefined) return {};
  return await fetchUserInfo(configuration, accessToken, subject).catch((error: unknown) => {
    throw notBelieved(settings.issuer, `its UserInfo: ${reasonOf(error)}`, error);
  });
}

/** The signed token wins. Whether an address is verified is believed only of the answer that names the address. Pure. */
export function mergedClaims({
  idToken,
  more,
}: {
  idToken: Readonly<Record<string, unknown>>;
  more: Readonly<Record<string, unknown>>;
}): Readonly<Record<string, unknown>> {
  const ofAddress = idToken["email"] === undefined ? more : idToken;
  const { email, email_verified, xms_edov } = ofAddress;
  const address = { email, email_verified, xms_edov };
  return Object.fromEntries(Object.entries({ ...more, ...idToken, ...address }).filter(([, value]) => value !== undefined));
}
