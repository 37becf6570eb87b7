import type { Collection, DirectoryObject, Properties } from "./tenant.ts";

/** Properties of v1.0 that may be selected, and those that come unasked. Anything else is refused, as Microsoft Graph does. */
const PROPERTIES: Readonly<Record<Collection, { unasked: readonly string[]; others: readonly string[] }>> = {
  users: {
    unasked: [
      "businessPhones",
      "displayName",
      "givenName",
      "jobTitle",
      "mail",
      "mobilePhone",
      "officeLocation",
      "preferredLanguage",
      "surname",
      "userPrincipalName",
    ],
    others: [
      "accountEnabled",
      "city",
      "companyName",
      "country",
      "createdDateTime",
      "deletedDateTime",
      "department",
      "employeeHireDate",
      "employeeId",
      "employeeLeaveDateTime",
      "employeeOrgData",
      "employeeType",
      "identities",
      "mailNickname",
      "onPremisesExtensionAttributes",
      "onPremisesImmutableId",
      "onPremisesSamAccountName",
      "onPremisesSyncEnabled",
      "otherMails",
      "proxyAddresses",
      "signInSessionsValidFromDateTime",
      "state",
      "usageLocation",
      "userType",
    ],
  },
  groups: {
    unasked: [
      "createdDateTime",
      "deletedDateTime",
      "description",
      "displayName",
      "groupTypes",
      "mail",
      "mailEnabled",
      "mailNickname",
      "membershipRule",
      "onPremisesSyncEnabled",
      "proxyAddresses",
      "securityEnabled",
      "visibility",
    ],
    others: ["isAssignableToRole", "membershipRuleProcessingState", "uniqueName"],
  },
  administrativeUnits: {
    unasked: ["deletedDateTime", "description", "displayName", "visibility"],
    others: ["membershipType", "membershipRule"],
  },
};

/** The first name that is no property, or nothing. */
export function unknownProperty(
  collection: Collection,
  names: readonly string[],
  relationships: readonly string[] = [],
): string | undefined {
  const { unasked, others } = PROPERTIES[collection];
  return names.find((name) => name !== "id" && !unasked.includes(name) && !others.includes(name) && !relationships.includes(name));
}

/** An object as a plain read shows it: everything that was asked for, null where it has no value. */
export function selected({ id, collection, properties }: DirectoryObject, names: readonly string[] | undefined): Properties {
  const asked = names ?? ["id", ...PROPERTIES[collection].unasked];
  return Object.fromEntries(
    asked.map((name) => [name, name === "id" ? id : (properties[name] ?? (name === "businessPhones" ? [] : null))]),
  );
}

/** An object as a delta query shows it: what never had a value is left out. */
export function tracked({ id, collection, properties }: DirectoryObject, names: readonly string[] | undefined): Properties {
  const asked = names ?? PROPERTIES[collection].unasked;
  const present = asked.filter((name) => name in properties);
  return { ...Object.fromEntries(present.map((name) => [name, properties[name]])), id };
}
