/**
 * Departures from the RFCs that are known of SCIM clients. `says` completes the sentence "Entra ID …"; `{attribute}` and
 * `{sample}` are filled in. `otherwise` is what the RFCs make of it for a client whose profile does not name it: refused
 * with what `wants` says, or passed on as it came.
 */
export const QUIRKS = {
  "boolean-text": {
    says: "sent `{attribute}` as the string {sample}",
    otherwise: "refuse",
    wants: "must be true or false, without quotes",
  },
  "boolean-number": { says: "sent `{attribute}` as the number {sample}", otherwise: "refuse", wants: "must be true or false" },
  "number-text": { says: "sent the number `{attribute}` as a string", otherwise: "refuse", wants: "must be a number, without quotes" },
  "number-for-text": { says: "sent the text `{attribute}` as a number", otherwise: "refuse", wants: "must be a text, in double quotes" },
  "date-form": {
    says: "sent the date `{attribute}` without seconds or without a colon in its offset",
    otherwise: "refuse",
    wants: "must be a date and time such as 2011-05-13T04:42:34Z",
  },
  "empty-text": { says: "sent `{attribute}` as an empty string where it has no value", otherwise: "pass" },
  "list-for-one": { says: "sent a list for the single value `{attribute}`", otherwise: "refuse", wants: "has one value, not a list" },
  "one-for-list": { says: "sent a single value for the list `{attribute}`", otherwise: "refuse", wants: "must be a list" },
  "text-for-object": { says: "sent a plain value for the complex `{attribute}`", otherwise: "refuse", wants: "must be an object" },
  "object-for-text": {
    says: "sent an object for the plain `{attribute}`",
    otherwise: "refuse",
    wants: "must be a plain value, not an object",
  },
  "json-in-text": {
    says: "sent `{attribute}` as JSON inside a string",
    otherwise: "refuse",
    wants: "must be JSON, not JSON inside a string",
  },
  "reference-only": { says: "sent `{attribute}` with $ref and without value", otherwise: "pass" },
  "id-for-value": { says: "sent `{attribute}` with {sample} instead of value", otherwise: "pass" },
  "display-name": { says: "sent `{attribute}` with displayName instead of display", otherwise: "pass" },
  "several-primaries": {
    says: "sent more than one primary in `{attribute}`",
    otherwise: "refuse",
    wants: "may have one primary value only",
  },
  "extension-at-top": { says: "sent `{attribute}` outside its extension", otherwise: "pass" },
  "core-under-urn": { says: "sent core attributes under the core schema's URN", otherwise: "pass" },
  "dotted-name": { says: "sent `{attribute}` as a name with a dot or a URN", otherwise: "pass" },
  "path-as-name": { says: "sent a path into `{attribute}` as an attribute's name", otherwise: "pass" },
  "old-urn": { says: "named a schema of SCIM 1.1", otherwise: "pass" },
  "schemas-missing": { says: "left out `schemas`", otherwise: "refuse", wants: "is required" },
  "schemas-text": { says: "sent `schemas` as a single string", otherwise: "refuse", wants: "must be a list" },
  "schemas-unknown": { says: "named schemas that are not ours in `schemas`", otherwise: "pass" },
  "schemas-other": { says: "named other schemas than the request's in `schemas`", otherwise: "pass" },
  "op-case": { says: "wrote the operation as {sample}", otherwise: "refuse", wants: "must be add, replace or remove, in lower case" },
  "operations-name": { says: "wrote `Operations` in other letters", otherwise: "pass" },
  "operations-one": { says: "sent `Operations` as a single object", otherwise: "refuse", wants: "must be a list" },
  "operations-empty": {
    says: "sent PATCH without a single operation",
    otherwise: "refuse",
    wants: "must be a list with at least one operation",
  },
  "member-in-path": {
    says: "named a member to be added in `path`, without a value",
    otherwise: "refuse",
    wants: "must be added by a value, not by a path",
  },
  "member-unknown": { says: "named members who are not here", otherwise: "pass" },
  "path-null": { says: "sent `path` without a value", otherwise: "pass" },
  "path-pointer": { says: "sent the path to `{attribute}` as a JSON pointer", otherwise: "pass" },
  "path-core-urn": { says: "sent the core schema's URN as `path`", otherwise: "pass" },
  "remove-without-path": { says: "sent remove without `path`", otherwise: "pass" },
  "resource-for-patch": { says: "sent PATCH with a resource instead of operations", otherwise: "pass" },
  "json-patch": { says: "sent PATCH as a bare list of operations", otherwise: "pass" },
  "single-quotes": { says: "put a filter's value in single quotes", otherwise: "pass" },
  "no-quotes": { says: "sent a filter's value without quotes", otherwise: "pass" },
  "no-quotes-date": { says: "sent a filter's date without quotes", otherwise: "pass" },
  "no-quotes-in-path": { says: "put a value without double quotes into a path", otherwise: "pass" },
  "bare-backslash": { says: "left a backslash unescaped in a filter", otherwise: "pass" },
  "filter-in-attributes": { says: "put a filter into `{attribute}` where attributes are named", otherwise: "pass" },
  "plus-sign": { says: "left a plus sign unencoded in a filter", otherwise: "pass" },
  "encoded-twice": { says: "encoded a filter twice", otherwise: "pass" },
  "untidy-path": { says: "sent a URL with doubled slashes", otherwise: "pass" },
} as const satisfies Readonly<Record<string, Description>>;

export type QuirkName = keyof typeof QUIRKS;

/** What is known of a quirk. */
export type Description = { says: string; otherwise: "pass" } | { says: string; otherwise: "refuse"; wants: string };
