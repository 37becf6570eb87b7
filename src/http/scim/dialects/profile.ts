import type { Dialect } from "../../../../connectors/scim-inbound/config.ts";
import type { QuirkName } from "../../../connections/quirk-catalogue.ts";

/** What is known of one IdP's SCIM client. */
export interface Profile {
  dialect: Dialect;
  /** Departures from the RFCs that are understood; any other is refused or passed on as the RFCs say. */
  quirks: ReadonlySet<QuirkName>;
  /** Whether a value path that chooses nothing makes what it describes; else noTarget (RFC 7644 section 3.5.2.3). */
  createsAbsent: boolean;
  /** Whether it looks for externalId in /Schemas, where RFC 7643 section 3.1 lets it stand. */
  seeksExternalId?: boolean;
}
