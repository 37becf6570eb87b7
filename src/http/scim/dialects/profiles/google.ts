import type { Profile } from "../profile.ts";

/** Google's automatic provisioning: URNs of SCIM 1.1, partial resources by PATCH, single values where lists belong. */
export const google: Profile = {
  dialect: "google",
  quirks: new Set([
    "old-urn",
    "schemas-missing",
    "schemas-unknown",
    "schemas-other",
    "resource-for-patch",
    "boolean-text",
    "empty-text",
    "one-for-list",
    "list-for-one",
    "reference-only",
    "text-for-object",
    "several-primaries",
    "extension-at-top",
    "plus-sign",
    "untidy-path",
  ]),
  createsAbsent: false,
};
