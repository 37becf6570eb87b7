import type { Profile } from "../profile.ts";

/** PingOne and PingFederate: several primaries, URNs of SCIM 1.1 from older provisioners, resources where operations belong. */
export const ping: Profile = {
  dialect: "ping",
  quirks: new Set([
    "old-urn",
    "boolean-text",
    "date-form",
    "empty-text",
    "one-for-list",
    "reference-only",
    "text-for-object",
    "several-primaries",
    "schemas-missing",
    "schemas-unknown",
    "schemas-other",
    "resource-for-patch",
    "extension-at-top",
    "path-null",
    "no-quotes",
    "no-quotes-in-path",
    "bare-backslash",
    "plus-sign",
    "untidy-path",
  ]),
  createsAbsent: false,
};
