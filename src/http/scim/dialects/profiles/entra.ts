import type { Profile } from "../profile.ts";

/**
 * Microsoft Entra ID, with and without its flag aadOptscim062020: capitalised operations, booleans as text, the manager as
 * a text, attributes by dotted names and value paths as names, a schema of its own on groups, role assignments as JSON in
 * a text. Its validator sends patches of no operation. It counts on a value path to create what it does not find,
 * and its validator fails a server whose /Schemas leaves out an attribute that it maps.
 */
export const entra: Profile = {
  dialect: "entra",
  quirks: new Set([
    "boolean-text",
    "number-for-text",
    "number-text",
    "empty-text",
    "list-for-one",
    "one-for-list",
    "reference-only",
    "text-for-object",
    "object-for-text",
    "json-in-text",
    "display-name",
    "several-primaries",
    "extension-at-top",
    "dotted-name",
    "path-as-name",
    "schemas-missing",
    "schemas-unknown",
    "op-case",
    "operations-empty",
    "path-null",
    "id-for-value",
    "filter-in-attributes",
    "no-quotes",
    "no-quotes-in-path",
    "bare-backslash",
    "plus-sign",
    "untidy-path",
  ]),
  createsAbsent: true,
  seeksExternalId: true,
};
