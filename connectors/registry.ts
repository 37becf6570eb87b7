import type { Connector } from "./contract.ts";
import { csv } from "./csv/index.ts";
import { entra } from "./entra/index.ts";
import { google } from "./google/index.ts";
import { ldap } from "./ldap/index.ts";
import { oidc } from "./oidc/index.ts";
import { okta } from "./okta/index.ts";
import { saml } from "./saml/index.ts";
import { scim } from "./scim/index.ts";
import { scimInbound } from "./scim-inbound/index.ts";

/** One line a connector; a test asserts that these are the folders. */
export const connectors: Readonly<Record<string, Connector<never>>> = {
  csv: registered(csv),
  entra: registered(entra),
  google: registered(google),
  ldap: registered(ldap),
  oidc: registered(oidc),
  okta: registered(okta),
  saml: registered(saml),
  scim: registered(scim),
  "scim-inbound": registered(scimInbound),
};

/** Settings are parsed by the connector's own schema before they reach it, so that here their type does not matter. */
function registered<S>(connector: Connector<S>): Connector<never> {
  return connector as Connector<unknown> as Connector<never>;
}
