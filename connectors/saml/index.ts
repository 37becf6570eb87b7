import type { Connector } from "../contract.ts";
import { samlSettings, type SamlSettings } from "./config.ts";

/** An identity provider by which people sign in: it calls us through their browsers, so there is nothing to open. */
export const saml: Connector<SamlSettings> = {
  name: "saml",
  title: "SAML 2.0 identity provider (sign-in)",
  settings: samlSettings,
  secretFields: [],
  signsPeopleIn: true,
  issuerOf: ({ entityId }) => entityId,
};
