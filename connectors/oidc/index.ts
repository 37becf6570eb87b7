import type { Connector } from "../contract.ts";
import { checkOidc } from "./check.ts";
import { oidcSettings, type OidcSettings } from "./config.ts";

/** An OpenID provider: people sign in by it, and it is never read from or written to. */
export const oidc: Connector<OidcSettings> = {
  name: "oidc",
  title: "OpenID Connect (sign-in)",
  settings: oidcSettings,
  secretFields: ["clientSecret", "privateKey", "encryptionKey"],
  destinations: ["preset", "issuer", "tenantId"],
  signsPeopleIn: true,
  issuerOf: ({ issuer }) => issuer,
  check: checkOidc,
};
