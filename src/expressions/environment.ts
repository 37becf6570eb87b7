import { Environment } from "@marcbachmann/cel-js";
import type { AttributeObject } from "../../connectors/contract.ts";
import { ENTERPRISE_USER, isObject, primaryEmail } from "../directory/attributes.ts";

/** What an expression may speak of: an account as read at a source, or a person of the directory. */
export type Subject = "account" | "person";

/** A person as expressions see it: every field is there, empty when unknown. */
export const PERSON_FIELDS = {
  id: "string",
  userName: "string",
  externalId: "string",
  displayName: "string",
  givenName: "string",
  familyName: "string",
  email: "string",
  title: "string",
  userType: "string",
  preferredLanguage: "string",
  locale: "string",
  timezone: "string",
  employeeNumber: "string",
  costCenter: "string",
  organization: "string",
  division: "string",
  department: "string",
  active: "bool",
  state: "string",
  origin: "string",
  manager: "string",
  /** Codes of the person's units, display names of groups (nested ones included), keys of roles held anywhere. */
  units: "list<string>",
  groups: "list<string>",
  roles: "list<string>",
  /** The whole profile, SCIM-shaped. */
  profile: "map",
  custom: "map",
} as const;

/** Where a person's profile holds the texts among those fields. */
export const PROFILE_TEXTS: Readonly<Record<string, readonly [attribute: string, ...string[]]>> = {
  userName: ["userName"],
  externalId: ["externalId"],
  displayName: ["displayName"],
  givenName: ["name", "givenName"],
  familyName: ["name", "familyName"],
  title: ["title"],
  userType: ["userType"],
  preferredLanguage: ["preferredLanguage"],
  locale: ["locale"],
  timezone: ["timezone"],
  employeeNumber: [ENTERPRISE_USER, "employeeNumber"],
  costCenter: [ENTERPRISE_USER, "costCenter"],
  organization: [ENTERPRISE_USER, "organization"],
  division: [ENTERPRISE_USER, "division"],
  department: [ENTERPRISE_USER, "department"],
};

export type PersonVariables = {
  [K in keyof typeof PERSON_FIELDS]: (typeof PERSON_FIELDS)[K] extends "bool"
    ? boolean
    : (typeof PERSON_FIELDS)[K] extends "list<string>"
      ? readonly string[]
      : (typeof PERSON_FIELDS)[K] extends "map"
        ? AttributeObject
        : string;
};

const functions = (environment: Environment): Environment =>
  environment
    .registerFunction("parentDn(string): string", (dn: string) => splitDn(dn).slice(1).join(","))
    .registerFunction("rdnValue(string): string", (dn: string) => unescapeDnValue((splitDn(dn)[0] ?? "").replace(/^[^=]*=/, "")))
    .registerFunction("first(dyn): dyn", (value: unknown) => (Array.isArray(value) ? (value[0] ?? "") : value))
    .registerFunction("list(dyn): list<string>", (value: unknown) =>
      Array.isArray(value) ? value : value === "" || value === null ? [] : [value],
    );

/** The CEL environment per subject; built once, it holds declarations only. */
export const environments: Readonly<Record<Subject, Environment>> = {
  account: functions(new Environment({ unlistedVariablesAreDyn: false }).registerVariable("account", "map")),
  person: functions(new Environment({ unlistedVariablesAreDyn: false }).registerVariable({ name: "person", schema: { ...PERSON_FIELDS } })),
};

export interface PersonFacts {
  id: string;
  attributes: AttributeObject;
  custom?: AttributeObject;
  active: boolean;
  state: string;
  origin?: string | null;
  managerId?: string | null;
  units?: readonly string[];
  groups?: readonly string[];
  roles?: readonly string[];
}

/** Fills every field that expressions may ask for. */
export function personVariables(person: PersonFacts): PersonVariables {
  const profile = person.attributes;
  const name = isObject(profile["name"]) ? profile["name"] : {};
  const enterprise = isObject(profile[ENTERPRISE_USER]) ? profile[ENTERPRISE_USER] : {};
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  return {
    id: person.id,
    userName: text(profile["userName"]),
    externalId: text(profile["externalId"]),
    displayName: text(profile["displayName"]),
    givenName: text(name["givenName"]),
    familyName: text(name["familyName"]),
    email: primaryEmail(profile) ?? "",
    title: text(profile["title"]),
    userType: text(profile["userType"]),
    preferredLanguage: text(profile["preferredLanguage"]),
    locale: text(profile["locale"]),
    timezone: text(profile["timezone"]),
    employeeNumber: text(enterprise["employeeNumber"]),
    costCenter: text(enterprise["costCenter"]),
    organization: text(enterprise["organization"]),
    division: text(enterprise["division"]),
    department: text(enterprise["department"]),
    active: person.active,
    state: person.state,
    origin: person.origin ?? "",
    manager: person.managerId ?? "",
    units: person.units ?? [],
    groups: person.groups ?? [],
    roles: person.roles ?? [],
    profile,
    custom: person.custom ?? {},
  };
}

/** Splits a DN at its unescaped commas (RFC 4514). */
function splitDn(dn: string): string[] {
  return (dn.match(/(?:\\.|[^,\\])+/g) ?? []).map((part) => part.trim());
}

function unescapeDnValue(value: string): string {
  return value.replace(/\\(.)/g, "$1");
}
