import type { Request, Response } from "express";
import { isSecret, newSecret } from "../../auth/sessions/session.ts";

/**
 * Binds a SAML request to the browser that made it. The identity provider's page posts its response from another site, where browsers
 * send only cookies that say `SameSite=None`; so this is one of its own, which opens nothing.
 */
const COOKIE = "__Host-rollcall-saml";
const OPTIONS = { httpOnly: true, secure: true, sameSite: "none", path: "/" } as const;
const MINUTES = 15;

/** The secret in the cookie; undefined when it is not there, there twice, or could not be ours. */
export function samlBrowser(request: Request): string | undefined {
  const values = (request.headers.cookie ?? "").split(";").flatMap((pair) => {
    const at = pair.indexOf("=");
    return at > 0 && pair.slice(0, at).trim() === COOKIE ? [pair.slice(at + 1).trim()] : [];
  });
  const [value] = values;
  return values.length === 1 && isSecret(value) ? value : undefined;
}

/** The same, or a new one that the browser gets. Sign-ins in several windows share it. */
export function ensureSamlBrowser(request: Request, response: Response): string {
  const secret = samlBrowser(request) ?? newSecret().secret;
  response.cookie(COOKIE, secret, { ...OPTIONS, maxAge: MINUTES * 60_000 });
  return secret;
}
