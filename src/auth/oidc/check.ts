import { authorizationCodeGrant } from "openid-client";
import type { CheckResult } from "../../../connectors/contract.ts";
import { discoveryUrl } from "../../../connectors/kit/openid-metadata.ts";
import { fetchText } from "../../../connectors/kit/send.ts";
import type { OidcSettings } from "../../../connectors/oidc/config.ts";
import type { Context } from "../../context.ts";
import { AppError, messageOf } from "../../errors.ts";
import { clockResult } from "../checked-clock.ts";
import { authorizationRequest } from "./authorization-request.ts";
import { judgedAnswer, judgedRefusal } from "./check-answers.ts";
import { createProviders, type Provider } from "./providers.ts";

export interface CheckClientOptions {
  settings: OidcSettings;
  /** The connection's. */
  name: string;
  baseUrl: string;
}

const MOST_BYTES = 1024 * 1024;

/**
 * Whether the provider knows us: our redirect URI by a request that asks nobody for anything (prompt=none, OpenID Connect Core 1.0
 * section 3.1.2.1), our secret or key by a code that is none. Signs nobody in.
 */
export async function checkOidcClient(ctx: Context, { settings, name, baseUrl }: CheckClientOptions): Promise<CheckResult[]> {
  const provider = await createProviders({ now: ctx.now, network: ctx.network }).of(settings);
  const redirectUri = `${baseUrl}/oidc/${name}/callback`;
  return [
    ...(await clock(ctx, settings)),
    pkce(provider),
    await redirect(ctx, { provider, redirectUri }),
    await proof(provider, redirectUri),
  ];
}

async function clock(ctx: Context, { issuer, timeoutMs, clockSkewSeconds }: OidcSettings): Promise<CheckResult[]> {
  const { headers } = await fetchText({ url: discoveryUrl(issuer), network: ctx.network, timeoutMs, maxBytes: MOST_BYTES });
  return clockResult({ said: headers["date"], now: ctx.now(), clockSkewSeconds });
}

function pkce({ metadata: { code_challenge_methods_supported: methods } }: Provider): CheckResult {
  const ok = methods === undefined || methods.includes("S256");
  const message = ok
    ? methods === undefined
      ? "S256; it does not say whether it looks at it"
      : "S256"
    : `it offers ${methods.join(", ")}, not S256`;
  return { name: "PKCE", ok, message };
}

async function redirect(ctx: Context, { provider, redirectUri }: { provider: Provider; redirectUri: string }): Promise<CheckResult> {
  const { settings } = provider;
  try {
    const { url } = await authorizationRequest(provider, { connectionId: 0, redirectUri, silent: true });
    const { status, headers, text } = await fetchText({
      url: url.href,
      network: ctx.network,
      timeoutMs: settings.timeoutMs,
      maxBytes: MOST_BYTES,
      headers: { accept: "text/html" },
    });
    const { location } = headers;
    return judgedAnswer({ status, location: typeof location === "string" ? location : undefined, text }, { settings, redirectUri });
  } catch (error) {
    // A request that is handed over beforehand is refused by the same call that proves who we are.
    const cause: unknown = error instanceof AppError ? error.cause : error;
    return { ...judgedRefusal(cause, { settings, redirectUri }), name: "Redirect URI" };
  }
}

async function proof({ configuration, settings, metadata }: Provider, redirectUri: string): Promise<CheckResult> {
  const [url, state] = [new URL(redirectUri), "check"];
  url.search = new URLSearchParams({ code: "check", state, iss: metadata.issuer }).toString();
  try {
    await authorizationCodeGrant(configuration, url, { expectedState: state, pkceCodeVerifier: "check".repeat(10) });
    return { name: "Client", ok: false, message: "it gives tokens for a code that it never gave: do not trust it" };
  } catch (error) {
    if (error instanceof AppError) return { name: "Client", ok: false, message: messageOf(error) };
    return judgedRefusal(error, { settings, redirectUri });
  }
}
