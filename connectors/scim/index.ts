import type { Connector } from "../contract.ts";
import { check } from "./check.ts";
import { settingsSchema, type ScimSettings } from "./config.ts";
import { openTarget } from "./target.ts";

/** With TLS or without, it is the same one. */
function applicationOf({ url }: ScimSettings): string {
  const { host, pathname } = new URL(url);
  return host + pathname.replace(/\/+$/, "");
}

/** Any application that speaks SCIM 2.0 (RFC 7643, RFC 7644), as a target. */
export const scim: Connector<ScimSettings> = {
  name: "scim",
  title: "SCIM 2.0 application",
  settings: settingsSchema,
  secretFields: ["token", "proxy.password"],
  destinations: ["url", "ca", "proxy.url"],
  openTarget,
  check,
  scopeOf: ({ url }) => ({ url }),
  applicationOf,
};
