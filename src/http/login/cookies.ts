import type { Request, Response } from "express";
import { isSecret } from "../../auth/sessions/session.ts";

/**
 * The cookies of this door. `__Host-` makes browsers refuse them from another host, another path or without TLS (localhost apart).
 * @see https://developer.mozilla.org/docs/Web/HTTP/Headers/Set-Cookie#cookie_prefixes
 */
export const COOKIES = {
  session: "__Host-rollcall",
  signIn: "__Host-rollcall-sign-in",
  device: "__Host-rollcall-device",
} as const;

export type CookieName = keyof typeof COOKIES;

const YEAR_MS = 365 * 86_400_000;

/** The secret in a cookie; undefined when it is not there, there twice, or could not be ours. */
export function secretIn(request: Request, cookie: CookieName): string | undefined {
  const name = COOKIES[cookie];
  const values = (request.headers.cookie ?? "").split(";").flatMap((pair) => {
    const at = pair.indexOf("=");
    return at > 0 && pair.slice(0, at).trim() === name ? [pair.slice(at + 1).trim()] : [];
  });
  const [value] = values;
  return values.length === 1 && isSecret(value) ? value : undefined;
}

/** Sets a cookie. That of the session goes with the browser; that of the device stays for a year. */
export function setSecret(response: Response, { cookie, secret }: { cookie: CookieName; secret: string }): void {
  response.cookie(COOKIES[cookie], secret, {
    httpOnly: true,
    secure: true,
    sameSite: "lax",
    path: "/",
    ...(cookie === "device" ? { maxAge: YEAR_MS } : {}),
  });
}

export function clearSecret(response: Response, cookie: CookieName): void {
  response.clearCookie(COOKIES[cookie], { httpOnly: true, secure: true, sameSite: "lax", path: "/" });
}
