import {
  buildAuthorizationUrl,
  buildAuthorizationUrlWithJAR,
  buildAuthorizationUrlWithPAR,
  calculatePKCECodeChallenge,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from "openid-client";
import { z } from "zod";
import type { Provider } from "./providers.ts";
import { askingProvider } from "./provider-errors.ts";

/** What has to be known again when the answer comes: kept with the sign-in, sealed. */
export const pendingSchema = z.strictObject({
  connectionId: z.number(),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  /** Seconds; how old the sign-in there may be. */
  maxAge: z.number().optional(),
});
export type Pending = z.output<typeof pendingSchema>;

export interface AuthorizationRequest {
  connectionId: number;
  redirectUri: string;
  /** Whom the person says to be, for the provider's form. */
  loginHint?: string | undefined;
  /** The person must prove there anew who they are: for a step-up. */
  fresh?: boolean | undefined;
  /** Nobody is to be asked for anything: for a look at whether the provider knows us. */
  silent?: boolean | undefined;
}

/**
 * Where a sign-in goes (OpenID Connect Core 1.0 section 3.1.2.1): by code, with PKCE by S256 (RFC 7636) always, signed (RFC 9101) and
 * handed over beforehand (RFC 9126) where the provider offers it. Throws `unavailable` when the provider refuses or does not answer.
 */
export async function authorizationRequest(
  provider: Provider,
  { connectionId, redirectUri, loginHint, fresh = false, silent = false }: AuthorizationRequest,
): Promise<{ url: URL; pending: Pending }> {
  const { settings } = provider;
  const maxAge = fresh ? 0 : settings.maxAgeMinutes === undefined ? undefined : settings.maxAgeMinutes * 60;
  const pending: Pending = {
    connectionId,
    state: randomState(),
    nonce: randomNonce(),
    verifier: randomPKCECodeVerifier(),
    ...(maxAge === undefined ? {} : { maxAge }),
  };
  const parameters = new URLSearchParams({
    redirect_uri: redirectUri,
    scope: scopesOf(provider).join(" "),
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: await calculatePKCECodeChallenge(pending.verifier),
    code_challenge_method: "S256",
  });
  if (loginHint !== undefined) parameters.set("login_hint", loginHint);
  if (maxAge !== undefined) parameters.set("max_age", String(maxAge));
  const prompt = silent ? "none" : promptOf(provider, fresh);
  if (prompt !== undefined) parameters.set("prompt", prompt);
  const [onlyDomain, ...others] = settings.hostedDomains ?? [];
  if (settings.preset === "google" && onlyDomain !== undefined) parameters.set("hd", others.length === 0 ? onlyDomain : "*");
  if (settings.preset === "google" && settings.refreshHours !== undefined) parameters.set("access_type", "offline");
  return { url: await askingProvider(settings.issuer, () => urlOf(provider, parameters)), pending };
}

/** Google knows no `offline_access`, and asks by a parameter. */
function scopesOf({ settings }: Provider): string[] {
  const offline = settings.refreshHours !== undefined && settings.preset !== "google" ? ["offline_access"] : [];
  return [...new Set([...settings.scopes, ...offline])];
}

/** Offline access wants consent (Core section 11): without it a provider may ignore the scope. */
function promptOf({ settings }: Provider, fresh: boolean): string | undefined {
  if (fresh) return "login";
  return settings.refreshHours !== undefined && (settings.preset === "generic" || settings.preset === "google") ? "consent" : undefined;
}

async function urlOf(provider: Provider, parameters: URLSearchParams): Promise<URL> {
  const { configuration, settings, metadata } = provider;
  const signed = isSigned(provider) ? await signedParameters(provider, parameters) : parameters;
  const offered = metadata.pushed_authorization_request_endpoint !== undefined;
  if (offered && (settings.pushedRequests === "auto" || metadata.require_pushed_authorization_requests))
    return buildAuthorizationUrlWithPAR(configuration, signed);
  return buildAuthorizationUrl(configuration, signed);
}

function isSigned({ settings, metadata, ownKey }: Provider): boolean {
  if (!ownKey || settings.signedRequests === "never") return false;
  const offered = metadata.request_parameter_supported === true || metadata.require_signed_request_object === true;
  return offered && (metadata.request_object_signing_alg_values_supported ?? ["RS256"]).includes(ownKey.alg);
}

async function signedParameters({ configuration, ownKey }: Provider, parameters: URLSearchParams): Promise<URLSearchParams> {
  if (!ownKey) return parameters;
  const url = await buildAuthorizationUrlWithJAR(configuration, parameters, { key: ownKey.privateKey, kid: ownKey.kid });
  const { searchParams } = url;
  // OpenID Connect Core 1.0 section 6.1 wants these outside of the request object, too.
  for (const name of ["response_type", "scope", "redirect_uri"]) {
    const value = parameters.get(name) ?? (name === "response_type" ? "code" : undefined);
    if (value !== undefined) searchParams.set(name, value);
  }
  return searchParams;
}
