import type { AttributeObject, AttributeValue } from "../../connectors/contract.ts";

/** RFC 7643 section 4.3. */
export const ENTERPRISE_USER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/** The organisation's own attributes. */
export const CUSTOM_USER = "urn:ietf:params:scim:schemas:extension:rollcall:2.0:User";
/** What a person may do here; computed. */
export const ACCESS_USER = "urn:ietf:params:scim:schemas:extension:rollcall:access:2.0:User";
/** When somebody is employed: dates that begin and end access. */
export const EMPLOYMENT_USER = "urn:ietf:params:scim:schemas:extension:rollcall:employment:2.0:User";
export const CORE_USER = "urn:ietf:params:scim:schemas:core:2.0:User";
export const CORE_GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";

export type PersonAttributeType = "string" | "boolean" | "reference" | "references" | "list" | "custom";

export interface PersonAttribute {
  /** The name in mappings and in `mastery`. */
  key: string;
  type: PersonAttributeType;
  /** Where it stands in the SCIM-shaped profile; empty for what is not stored there (active, units, manager). */
  path: readonly string[];
}

const core = (key: string, type: PersonAttributeType = "string"): PersonAttribute => ({ key, type, path: key.split(".") });
const enterprise = (key: string): PersonAttribute => ({ key, type: "string", path: [ENTERPRISE_USER, key] });
const employment = (key: string): PersonAttribute => ({ key: `employment.${key}`, type: "string", path: [EMPLOYMENT_USER, key] });

/**
 * The attributes that an origin can master, one by one. Multi-valued ones are mastered as whole lists, because
 * two sources' halves of a list make no list that either would recognise.
 */
export const PERSON_ATTRIBUTES: readonly PersonAttribute[] = [
  core("userName"),
  core("externalId"),
  core("name.formatted"),
  core("name.givenName"),
  core("name.familyName"),
  core("name.middleName"),
  core("name.honorificPrefix"),
  core("name.honorificSuffix"),
  core("displayName"),
  core("nickName"),
  core("profileUrl"),
  core("title"),
  core("userType"),
  core("preferredLanguage"),
  core("locale"),
  core("timezone"),
  core("emails", "list"),
  core("phoneNumbers", "list"),
  core("ims", "list"),
  core("photos", "list"),
  core("addresses", "list"),
  core("entitlements", "list"),
  core("roles", "list"),
  core("x509Certificates", "list"),
  enterprise("employeeNumber"),
  enterprise("costCenter"),
  enterprise("organization"),
  enterprise("division"),
  enterprise("department"),
  employment("startDate"),
  employment("endDate"),
  employment("timeZone"),
  { key: "active", type: "boolean", path: [] },
  { key: "manager", type: "reference", path: [] },
  { key: "units", type: "references", path: [] },
];

const byKey = new Map(PERSON_ATTRIBUTES.map((attribute) => [attribute.key, attribute]));

/** In mappings, before the key of what somebody has from the date of a transfer on. */
const TRANSFER_PREFIX = "transfer.";
export const TRANSFER_DATE = `${TRANSFER_PREFIX}date`;
/** What a transfer can change, and the name by which a mapping says what it will be. */
export const TRANSFERS: ReadonlyMap<string, PersonAttribute> = new Map(
  ["title", "department", "division", "organization", "costCenter", "manager", "units"].flatMap((key) => {
    const attribute = byKey.get(key);
    return attribute ? [[`${TRANSFER_PREFIX}${key}`, attribute] as const] : [];
  }),
);

/** Before the key of an organisation's own attribute, in mappings and in `mastery`. */
export const CUSTOM_PREFIX = "custom.";

export function personAttribute(key: string): PersonAttribute | undefined {
  return (
    byKey.get(key) ??
    (key.startsWith(CUSTOM_PREFIX) ? { key, type: "custom", path: [CUSTOM_USER, key.slice(CUSTOM_PREFIX.length)] } : undefined)
  );
}

/**
 * A contribution: attribute key to value, one level deep (`name.givenName`, `emails`, `department`).
 * This is what an account gives to its person, and what precedence merges.
 */
export type Contribution = Readonly<Record<string, AttributeValue | undefined>>;

/** Builds the SCIM-shaped profile (RFC 7643 User without id, meta, groups, active, manager) from merged attributes. */
export function toProfile(contribution: Contribution): AttributeObject {
  const profile: Record<string, AttributeValue> = {};
  for (const { key, path } of PERSON_ATTRIBUTES) {
    const value = contribution[key];
    if (value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0)) continue;
    const [head, leaf] = path;
    if (head === undefined) continue;
    if (leaf === undefined) profile[head] = value;
    else ((profile[head] ??= {}) as Record<string, AttributeValue>)[leaf] = value;
  }
  for (const key of Object.keys(contribution)) {
    if (!key.startsWith(CUSTOM_PREFIX)) continue;
    const value = contribution[key];
    if (value === undefined || value === null || value === "") continue;
    ((profile[CUSTOM_USER] ??= {}) as Record<string, AttributeValue>)[key.slice(CUSTOM_PREFIX.length)] = value;
  }
  return profile;
}

/** The reverse of toProfile: a SCIM User resource as a contribution. `manager` is taken as the id in `manager.value`. */
export function fromProfile(resource: AttributeObject): Contribution {
  const contribution: Record<string, AttributeValue> = {};
  for (const { key, path } of PERSON_ATTRIBUTES) {
    const [head, leaf] = path;
    if (head === undefined) continue;
    const outer = resource[head];
    const value = leaf === undefined ? outer : isObject(outer) ? outer[leaf] : undefined;
    if (value !== undefined && value !== null) contribution[key] = value;
  }
  const extension = resource[ENTERPRISE_USER];
  const manager = isObject(extension) ? extension["manager"] : undefined;
  if (isObject(manager) && typeof manager["value"] === "string") contribution["manager"] = manager["value"];
  if (typeof resource["active"] === "boolean") contribution["active"] = resource["active"];
  for (const [key, value] of Object.entries(transferIn(resource) ?? {})) {
    const name = `${TRANSFER_PREFIX}${key}`;
    if ((name === TRANSFER_DATE || TRANSFERS.has(name)) && value !== undefined && value !== null) contribution[name] = value;
  }
  const custom = resource[CUSTOM_USER];
  for (const [key, value] of Object.entries(isObject(custom) ? custom : {})) {
    if (value !== undefined && value !== null) contribution[`${CUSTOM_PREFIX}${key}`] = value;
  }
  return contribution;
}

/** What a SCIM User resource says of a transfer; undefined where it names none. */
export function transferIn(resource: AttributeObject): AttributeObject | undefined {
  const extension = resource[EMPLOYMENT_USER];
  const transfer = isObject(extension) ? extension["transfer"] : undefined;
  return isObject(transfer) ? transfer : undefined;
}

export function isObject(value: unknown): value is AttributeObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The address a person is written to: the primary e-mail, else the first. */
export function primaryEmail(profile: AttributeObject): string | null {
  const emails = profile["emails"];
  if (!Array.isArray(emails)) return null;
  const list = emails.filter(isObject);
  const chosen = list.find((email) => email["primary"] === true) ?? list[0];
  return typeof chosen?.["value"] === "string" && chosen["value"] !== "" ? chosen["value"] : null;
}

/** The columns of `people` that follow from its profile. */
export function profileColumns(profile: AttributeObject): {
  userName: string;
  email: string | null;
  employeeNumber: string | null;
  externalId: string | null;
  displayName: string | null;
} {
  const extension = profile[ENTERPRISE_USER];
  const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : null);
  return {
    userName: text(profile["userName"]) ?? "",
    email: primaryEmail(profile),
    employeeNumber: isObject(extension) ? text(extension["employeeNumber"]) : null,
    externalId: text(profile["externalId"]),
    displayName: text(profile["displayName"]),
  };
}
