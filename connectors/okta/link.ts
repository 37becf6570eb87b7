import { Fault } from "../contract.ts";

const LINK = /<([^<>]*)>((?:\s*;\s*[\w*-]+\s*=\s*(?:"[^"]*"|[^\s",;]+))*)/g;
const PARAMETER = /;\s*([\w*-]+)\s*=\s*(?:"([^"]*)"|([^\s",;]+))/g;

/** Targets by relation of a Link header (RFC 8288); Okta sends one header a link. */
export function linkTargets(header: string | readonly string[] | undefined): ReadonlyMap<string, string> {
  const targets = new Map<string, string>();
  for (const value of typeof header === "string" ? [header] : (header ?? [])) {
    for (const [, target = "", parameters = ""] of value.matchAll(LINK)) {
      // Parameter by parameter, since a title may hold what looks like a relation.
      for (const [, name = "", quoted, plain] of parameters.matchAll(PARAMETER)) {
        if (name.toLowerCase() !== "rel") continue;
        for (const relation of (quoted ?? plain ?? "").toLowerCase().split(/\s+/))
          if (relation !== "" && !targets.has(relation)) targets.set(relation, target);
      }
    }
  }
  return targets;
}

/** Path and query of a link, when it stays with the org; throws where it would take the credential to somebody else. */
export function pathWithin(link: string, { origin }: { origin: string }): string {
  if (!URL.canParse(link, origin))
    throw new Fault("transient", `Okta names "${link.slice(0, 200)}" as the next page, which is no address.`);
  const url = new URL(link, origin);
  if (url.origin !== origin)
    throw new Fault(
      "misconfigured",
      `Okta names a next page at ${url.origin}. The credential is not sent there: set the url to that address if it is the org's own.`,
    );
  return url.pathname + url.search;
}
