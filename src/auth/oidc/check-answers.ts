import { ResponseBodyError } from "openid-client";
import type { CheckResult } from "../../../connectors/contract.ts";
import type { OidcSettings } from "../../../connectors/oidc/config.ts";
import { CONSOLE_WORDS } from "./console-words.ts";
import { reasonOf } from "./provider-errors.ts";

interface Asked {
  settings: Pick<OidcSettings, "preset" | "clientId" | "clientAuthentication">;
  redirectUri: string;
}

/** Errors that say that somebody would have to sign in: the request itself was good (OpenID Connect Core 1.0 section 3.1.2.6). */
const ASKS_SOMEBODY: ReadonlySet<string> = new Set([
  "login_required",
  "interaction_required",
  "consent_required",
  "account_selection_required",
]);
/** Of Entra ID, which answers with a page (Microsoft Entra authentication error codes). */
const ENTRA_CODES: Readonly<Record<string, "redirectUri" | "clientId" | "secret">> = {
  AADSTS50011: "redirectUri",
  AADSTS700016: "clientId",
  AADSTS90002: "clientId",
  AADSTS7000215: "secret",
  AADSTS7000222: "secret",
};

/** What a provider's answer to a request with prompt=none says of our redirect URI. Pure. */
export function judgedAnswer(
  { status, location, text }: { status: number; location: string | undefined; text: string },
  { settings, redirectUri }: Asked,
): CheckResult {
  const name = "Redirect URI";
  const words = CONSOLE_WORDS[settings.preset];
  const wrong = (what: string) => ({ name, ok: false, message: `it answers ${what}: compare ${words.redirectUri} with ${redirectUri}` });
  if (location?.startsWith(`${redirectUri}?`) === true || location?.startsWith(`${redirectUri}#`) === true) {
    const error = new URL(location.replace("#", "?")).searchParams.get("error") ?? "";
    if (ASKS_SOMEBODY.has(error)) return { name, ok: true, message: `${redirectUri} is known there` };
    if (error === "invalid_scope") return { name: "Scopes", ok: false, message: `it answers invalid_scope: compare ${words.scopes}` };
    return { name, ok: false, message: `${redirectUri} is known there, and it answers ${shown(error)}` };
  }
  const said = `${location ?? ""} ${text}`;
  const [code] = /AADSTS\d{5,7}/.exec(said) ?? [];
  const setting = code === undefined ? undefined : ENTRA_CODES[code];
  if (code !== undefined && setting !== undefined) return { name, ok: false, message: `it answers ${code}: look at ${words[setting]}` };
  if (/redirect_uri_mismatch|redirect_uri/.test(said)) return wrong("that the redirect URI is not registered");
  if (/invalid_client|deleted_client/.test(said))
    return { name, ok: false, message: `it does not know the client ${settings.clientId}: look at ${words.clientId}` };
  if (status >= 400) return wrong(String(status));
  return { name, ok: true, message: "it answers with a page of its own; whether it knows our address is told by a first sign-in alone" };
}

/** What a refusal at the token endpoint, or of a request handed over beforehand, says of how we prove who we are. Never repeats what was sent. Pure. */
export function judgedRefusal(error: unknown, { settings, redirectUri }: Asked): CheckResult {
  const name = "Client";
  const words = CONSOLE_WORDS[settings.preset];
  const said = error instanceof ResponseBodyError ? error.error : reasonOf(error);
  // Its description may repeat what was sent: it is looked at, and not shown.
  const described = error instanceof ResponseBodyError ? (error.error_description ?? "") : "";
  const [code] = /AADSTS\d{5,7}/.exec(described) ?? [];
  const setting = code === undefined ? undefined : ENTRA_CODES[code];
  const status: unknown = (error as { status?: unknown } | null)?.status;
  if (code !== undefined && setting !== undefined) return { name, ok: false, message: `it answers ${code}: look at ${words[setting]}` };
  if (said === "invalid_grant") return { name, ok: true, message: `it takes our ${settings.clientAuthentication}` };
  // Requests that are handed over beforehand have no error of their own for it (RFC 9126 section 2.3).
  if (said.includes("redirect_uri") || (said === "invalid_request" && /redirect_?uri/i.test(described)))
    return { name, ok: false, message: `it answers ${shown(said)}: compare ${words.redirectUri} with ${redirectUri}` };
  if (status === 401 || said === "invalid_client" || said === "unauthorized_client")
    return {
      name,
      ok: false,
      message: `it refuses our ${settings.clientAuthentication} (${shown(said)}): look at ${words.clientId} and ${words.secret}`,
    };
  return { name, ok: false, message: `it answers ${shown(said)}` };
}

function shown(error: string): string {
  return error.replaceAll(/[^\w .:,()-]/g, "").slice(0, 200) || "with no error that it names";
}
