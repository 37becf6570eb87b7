import type { Dialect } from "../../../../../connectors/scim-inbound/config.ts";
import type { Profile } from "../profile.ts";
import { entra } from "./entra.ts";
import { generic } from "./generic.ts";
import { google } from "./google.ts";
import { jumpcloud } from "./jumpcloud.ts";
import { okta } from "./okta.ts";
import { onelogin } from "./onelogin.ts";
import { ping } from "./ping.ts";
import { sap } from "./sap.ts";

/** One line a profile. */
export const PROFILES: Readonly<Record<Dialect, Profile>> = { generic, entra, okta, google, onelogin, jumpcloud, ping, sap };

/** What is understood of a client that is recognised, not chosen: all that is known of it, and all that is clear. */
export const RECOGNISED: Readonly<Record<Dialect, Profile>> = {
  generic,
  entra: beside(entra),
  okta: beside(okta),
  google: beside(google),
  onelogin: beside(onelogin),
  jumpcloud: beside(jumpcloud),
  ping: beside(ping),
  sap: beside(sap),
};

function beside(profile: Profile): Profile {
  return { ...profile, quirks: new Set([...generic.quirks, ...profile.quirks]) };
}
