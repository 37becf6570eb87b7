import type { Dialect } from "../../../../connectors/scim-inbound/config.ts";

/** How SCIM clients name themselves. */
const USER_AGENTS: readonly (readonly [RegExp, Dialect])[] = [
  [/okta/i, "okta"],
  [/azure|entra|microsoft/i, "entra"],
  [/google/i, "google"],
  [/onelogin/i, "onelogin"],
  [/jumpcloud/i, "jumpcloud"],
  [/ping(one|federate|identity)|\bping\b/i, "ping"],
  [/\bsap\b|successfactors|scimono|ips-?provisioning/i, "sap"],
];

/** Whose client a User-Agent header belongs to; undefined when nobody we know. */
export function recognisedDialect(userAgent: string | undefined): Dialect | undefined {
  return userAgent === undefined ? undefined : USER_AGENTS.find(([pattern]) => pattern.test(userAgent.slice(0, 300)))?.[1];
}
