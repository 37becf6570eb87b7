import type { Profile } from "../profile.ts";

/** OneLogin: templates that an administrator writes by hand, so values of the wrong type and attributes at the wrong place. */
export const onelogin: Profile = {
  dialect: "onelogin",
  quirks: new Set([
    "old-urn",
    "schemas-missing",
    "schemas-text",
    "schemas-unknown",
    "schemas-other",
    "boolean-text",
    "date-form",
    "number-for-text",
    "empty-text",
    "one-for-list",
    "reference-only",
    "text-for-object",
    "several-primaries",
    "extension-at-top",
    "dotted-name",
    "operations-name",
    "member-in-path",
    "op-case",
    "resource-for-patch",
    "no-quotes",
    "no-quotes-in-path",
    "plus-sign",
    "untidy-path",
  ]),
  createsAbsent: false,
};
