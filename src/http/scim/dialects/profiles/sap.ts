import type { Profile } from "../profile.ts";

/** SAP Identity Provisioning and SuccessFactors: explicit nulls of a Java serialiser, references by $ref or managerId, numbers as texts. */
export const sap: Profile = {
  dialect: "sap",
  quirks: new Set([
    "boolean-text",
    "number-text",
    "date-form",
    "number-for-text",
    "empty-text",
    "list-for-one",
    "one-for-list",
    "text-for-object",
    "reference-only",
    "id-for-value",
    "several-primaries",
    "core-under-urn",
    "extension-at-top",
    "schemas-missing",
    "schemas-unknown",
    "schemas-other",
    "path-null",
    "path-core-urn",
    "remove-without-path",
    "single-quotes",
    "no-quotes-in-path",
    "plus-sign",
    "untidy-path",
  ]),
  createsAbsent: false,
};
