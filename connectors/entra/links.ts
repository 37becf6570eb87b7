import { Fault } from "../contract.ts";

/**
 * The part of a link below the base URL. A nextLink or deltaLink is opaque and followed as it is, but only to where the
 * credential belongs: a link to anywhere else is refused, whoever wrote it.
 */
export function pathOfLink(link: unknown, graphUrl: string): string {
  const base = graphUrl.replace(/\/+$/, "");
  const { origin, pathname } = new URL(base);
  const root = pathname.replace(/\/+$/, "");
  if (typeof link === "string" && link.length <= MAX_LINK && URL.canParse(link)) {
    const url = new URL(link);
    if (url.origin === origin && url.username === "" && url.password === "" && url.pathname.startsWith(`${root}/`))
      return url.pathname.slice(root.length) + url.search;
  }
  const where = typeof link === "string" && URL.canParse(link) ? new URL(link).origin : "something that is no address";
  throw new Fault("misconfigured", `Microsoft Graph at ${origin} links to ${where}. The credential is not sent there: check graphUrl.`);
}

/** A token of state may be long, but not as long as an answer. */
const MAX_LINK = 16_384;
