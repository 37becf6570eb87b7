import { createHmac, timingSafeEqual } from "node:crypto";
import type { Request } from "express";
import { AppError } from "../../errors.ts";
import { COOKIES } from "./cookies.ts";
import type { LoginOptions } from "./options.ts";

/** What people's browsers call this server. */
type Own = Pick<LoginOptions, "baseUrl">;

/** What forms of a page carry, so that no other site can send them: made of the secret in the cookie, which no other site can read. */
export function csrfOf(secret: string): string {
  return createHmac("sha256", secret).update("csrf").digest("base64url");
}

/**
 * Refuses a change that another site asks for: by what the browser says of where it comes from, and by the token of the form
 * (OWASP, Cross-Site Request Forgery Prevention). Throws `forbidden`.
 */
export function requireOwnForm(request: Request, { secret, token, ...own }: Own & { secret: string | undefined; token: unknown }): void {
  requireSameOrigin(request, own);
  // Every page with a form gives a cookie: a browser that sends none refuses them, as all do of these without TLS.
  if (secret === undefined && !sendsOurCookies(request))
    throw new AppError("forbidden", "No cookie of this site came with the form: the browser keeps none, or the address is not https.", {
      field: "cookies",
    });
  const given = Buffer.from(typeof token === "string" ? token : "");
  const expected = Buffer.from(secret === undefined ? "" : csrfOf(secret));
  if (secret === undefined || given.length !== expected.length || !timingSafeEqual(given, expected))
    throw new AppError("forbidden", "This form is too old, or did not come from this site: open the page again.", { field: "csrf" });
}

/**
 * Refuses what a browser says comes from another site. Browsers send one of the two headers with every POST. Our own site is the address that
 * people use, and whatever else the request says it came to: many proxies put a Host of their own into what they pass on.
 */
export function requireSameOrigin(request: Request, { baseUrl }: Own): void {
  const site = request.headers["sec-fetch-site"];
  const { origin } = request.headers;
  const foreign =
    (site !== undefined && site !== "same-origin" && site !== "none") ||
    (origin !== undefined && origin !== new URL(baseUrl).origin && !isOfHost(origin, request.host));
  if (foreign || (site === undefined && origin === undefined))
    throw new AppError("forbidden", "This request came from another site: open the page here and send it from there.", { field: "origin" });
}

function sendsOurCookies({ headers: { cookie = "" } }: Request): boolean {
  return Object.values(COOKIES).some((name) => cookie.includes(`${name}=`));
}

/** Some proxies name the port that goes without saying, too. */
function isOfHost(origin: string, host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(origin)) return false;
  const { protocol, host: from } = new URL(origin);
  const asked = `${protocol}//${host}`;
  return URL.canParse(asked) && new URL(asked).host === from;
}
