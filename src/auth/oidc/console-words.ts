import type { OidcSettings } from "../../../connectors/oidc/config.ts";

/** What a setting is called in a provider's own console. */
export interface ConsoleWords {
  redirectUri: string;
  clientId: string;
  secret: string;
  scopes: string;
}

/** By preset: where an administrator of that provider finds what is wrong. */
export const CONSOLE_WORDS: Readonly<Record<OidcSettings["preset"], ConsoleWords>> = {
  generic: { redirectUri: "its redirect URIs", clientId: "the client ID", secret: "the client's secret or key", scopes: "its scopes" },
  entra: {
    redirectUri: "Authentication > Web > Redirect URIs",
    clientId: "Overview > Application (client) ID",
    secret: "Certificates & secrets > Client secrets > Value (not Secret ID)",
    scopes: "API permissions",
  },
  google: {
    redirectUri: "Clients > Authorized redirect URIs",
    clientId: "Clients > Client ID",
    secret: "Clients > Client secrets",
    scopes: "Data access",
  },
  okta: {
    redirectUri: "General > Sign-in redirect URIs",
    clientId: "General > Client ID",
    secret: "General > Client secrets",
    scopes: "Okta API Scopes, or Security > API > Scopes",
  },
};
