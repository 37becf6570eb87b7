/** Where a sign-in leads that began nowhere in particular. */
export const HOME = "/account";

/**
 * A path of ours to go back to; `/account` for everything else. Browsers take backslashes for slashes and leave out tabs and line
 * ends, so that `/\evil.example` is another site: nothing but plain characters is let through. Nor is what comes to two slashes once
 * its dots are taken out, as `/.//evil.example` does.
 */
export function ownPath(value: unknown): string {
  if (typeof value !== "string" || value.length > 1000 || !/^\/(?![/\\])[\w\-./~%?&=+:@!$,;*]*$/.test(value)) return HOME;
  const base = "https://own.invalid";
  const url = new URL(value, base);
  return url.origin === base && !/^\/(\/|(login|logout)(\/|$))/.test(url.pathname) ? `${url.pathname}${url.search}` : HOME;
}
