import type { Connector } from "../contract.ts";
import { settingsSchema, type ScimInboundSettings } from "./config.ts";

/** An IdP or HR system that provisions into our SCIM door: it calls us, so there is nothing to open. */
export const scimInbound: Connector<ScimInboundSettings> = {
  name: "scim-inbound",
  title: "SCIM 2.0 client (inbound)",
  settings: settingsSchema,
  secretFields: [],
};
