import type { Profile } from "../profile.ts";

/** Okta: whole resources with empty texts, booleans in a list, members with a display name, schemas of its own apps. */
export const okta: Profile = {
  dialect: "okta",
  quirks: new Set([
    "empty-text",
    "list-for-one",
    "reference-only",
    "number-for-text",
    "several-primaries",
    "schemas-missing",
    "schemas-unknown",
    "schemas-other",
    "dotted-name",
    "extension-at-top",
    "bare-backslash",
    "plus-sign",
    "untidy-path",
  ]),
  createsAbsent: false,
};
