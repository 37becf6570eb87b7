import type { CustomAttribute } from "./custom-attributes.ts";
import { CUSTOM_PREFIX } from "./attributes.ts";

/** What accounts find their person by, beside the primary address. */
export const MATCHED_BY: ReadonlySet<string> = new Set(["userName", "employeeNumber", "externalId"]);

/** What somebody is to the person whose profile it is. Administrators hold a permission on the person's units. */
export type Relation = "administrator" | "self" | "manager" | "other";

/**
 * What people change about themselves (P7): how they are called, where they are reached, their language. Not what says who they are
 * in the organisation, and not what a source would recognise them by: the login, the address for sign-in, the employee number.
 */
const OWN: ReadonlySet<string> = new Set([
  "name.formatted",
  "name.givenName",
  "name.familyName",
  "name.middleName",
  "name.honorificPrefix",
  "name.honorificSuffix",
  "displayName",
  "nickName",
  "profileUrl",
  "preferredLanguage",
  "locale",
  "timezone",
  "emails",
  "phoneNumbers",
  "addresses",
]);

/** What managers change about who reports to them: the same, and what they do. */
const OF_THE_TEAM: ReadonlySet<string> = new Set([...OWN, "title", "userType", "costCenter", "division", "department"]);

/** Attributes of these that the editor may not change, whatever the values. */
export function notEditableBy(
  relation: Relation,
  { keys, catalogue }: { keys: readonly string[]; catalogue: readonly CustomAttribute[] },
): string[] {
  if (relation === "administrator") return [];
  if (relation === "other") return [...keys];
  const standard = relation === "self" ? OWN : OF_THE_TEAM;
  const custom = new Map(catalogue.map((attribute) => [`${CUSTOM_PREFIX}${attribute.key}`, attribute]));
  return keys.filter((key) => {
    const attribute = custom.get(key);
    return attribute ? attribute.editableBy !== "self" || relation !== "self" : !standard.has(key);
  });
}

/** The organisation's own attributes that are shown. */
export function visibleTo(relation: Relation, catalogue: readonly CustomAttribute[]): CustomAttribute[] {
  if (relation === "administrator") return [...catalogue];
  return catalogue.filter(({ visibleTo: audience }) => audience === "everyone" || (audience === "self" && relation === "self"));
}
