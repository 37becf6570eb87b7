import { fetchUserInfo, refreshTokenGrant, ResponseBodyError } from "openid-client";
import { AppError } from "../../errors.ts";
import { signedInThere } from "./authorization-response.ts";
import { notBelieved, reasonOf } from "./provider-errors.ts";
import type { Provider } from "./providers.ts";

export interface Refreshed {
  claims: Readonly<Record<string, unknown>>;
  /** Takes the place of the one that was used, where the provider gave one. */
  refreshToken: string | undefined;
}

/**
 * Asks a provider what it says of somebody now (OpenID Connect Core 1.0 section 12). "ended" = it no longer lets us: somebody was
 * disabled there, or took it back. Throws `forbidden` for what is not to be believed, `unavailable` when it does not answer.
 */
export async function refreshClaims(
  provider: Provider,
  { refreshToken, subject, now }: { refreshToken: string; subject: string; now: Date },
): Promise<Refreshed | "ended"> {
  const { configuration, settings, metadata } = provider;
  const tokens = await refreshTokenGrant(configuration, refreshToken).catch((error: unknown) => {
    if (error instanceof ResponseBodyError && error.error === "invalid_grant") return "ended" as const;
    throw new AppError("unavailable", `The OpenID provider ${settings.issuer} did not refresh: ${reasonOf(error)}.`, { cause: error });
  });
  if (tokens === "ended") return "ended";
  const renewed = tokens.refresh_token;
  if (tokens.id_token !== undefined) {
    const { idToken, claims } = await signedInThere(provider, { tokens, nonce: undefined, now });
    if (idToken.sub !== subject) throw notBelieved(settings.issuer, "a refresh spoke of somebody else");
    return { claims, refreshToken: renewed };
  }
  if (metadata.userinfo_endpoint === undefined) throw notBelieved(settings.issuer, "a refresh told nothing");
  const claims = await fetchUserInfo(configuration, tokens.access_token, subject).catch((error: unknown) => {
    throw notBelieved(settings.issuer, `its UserInfo: ${reasonOf(error)}`, error);
  });
  return { claims, refreshToken: renewed };
}
