import { createCompany, personAt, uuidOf, type Company } from "../../demo/company.ts";

/** What every server is filled with: the same people and groups, each a function of its number. */
export interface Directory {
  company: Company;
  people: number;
  groups: readonly DirectoryGroup[];
  /** How many members come and go at once in the operations on many; so many people at the end are in no group. */
  batch: number;
}

export interface DirectoryGroup {
  name: string;
  /** Members: the people from 0 to below this number. */
  size: number;
}

const GROUP_SIZES = [10, 10_000, 100_000];
const BATCH = 1000;

/**
 * `people` of them, and beside them those who join groups and leave them again. The first have as many groups in every directory, so that a
 * page of them is as much to read.
 */
export function directoryOf(people: number): Directory {
  const batch = Math.min(BATCH, people);
  return {
    company: createCompany({ people: people + batch, groups: 0, organised: false }),
    people: people + batch,
    groups: GROUP_SIZES.map((size) => ({ name: `All of ${size}`, size: Math.min(size, people) })),
    batch,
  };
}

/** Everybody's group of about so many: 10,000 in a directory of 500 is the largest that there is. */
export function groupOf({ groups }: Pick<Directory, "groups">, size: number): number {
  const at = groups.findIndex((group) => group.size >= size);
  return at < 0 ? groups.length - 1 : at;
}

export const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
export const CORE_USER = "urn:ietf:params:scim:schemas:core:2.0:User";
export const CORE_GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";
export const PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/** A User resource (RFC 7643 section 4.1), about 1.2 KB of JSON, as a client would post it. */
export interface User {
  [name: string]: unknown;
  userName: string;
  externalId: string;
}

export function userAt(company: Company, index: number): User {
  const person = personAt(company, index);
  return {
    schemas: [CORE_USER, ENTERPRISE],
    userName: person.uid,
    externalId: externalIdAt(index),
    name: {
      formatted: `${person.givenName} ${person.familyName}`,
      givenName: person.givenName,
      familyName: person.familyName,
    },
    displayName: `${person.givenName} ${person.familyName}`,
    nickName: person.givenName,
    profileUrl: `https://people.nordhaven.example/profiles/${person.uid}`,
    title: person.title,
    userType: person.employeeType,
    preferredLanguage: person.language,
    locale: "en-GB",
    timezone: "Europe/Warsaw",
    active: true,
    emails: [
      { value: workEmailAt(company, index), type: "work", primary: true },
      { value: `${person.uid}@home.example`, type: "home" },
    ],
    phoneNumbers: [
      { value: person.telephone, type: "work", primary: true },
      { value: person.mobile ?? person.telephone, type: "mobile" },
    ],
    addresses: [
      {
        type: "work",
        streetAddress: `${(index % 190) + 1} Harbour Street`,
        locality: person.location,
        region: "North",
        postalCode: String(10_000 + (index % 89_999)),
        country: "PL",
        formatted: `${(index % 190) + 1} Harbour Street, ${person.location}`,
        primary: true,
      },
    ],
    [ENTERPRISE]: {
      employeeNumber: person.employeeNumber,
      costCenter: `CC-${person.unit.code}`,
      organization: "Nordhaven Keys",
      division: person.unit.name,
      department: person.department,
    },
  };
}

export function externalIdAt(index: number): string {
  return `nhk-${String(index).padStart(8, "0")}`;
}

/** Five letters of the work address that nobody else's has: what a search for a part of it finds. */
export function codeAt(index: number): string {
  // A bijection below 26^5, so that neighbours have nothing in common.
  let rest = (index * 7_368_787 + 1_234_567) % LETTERS ** 5;
  let code = "";
  for (let letter = 0; letter < 5; letter++) {
    code += String.fromCharCode(97 + (rest % LETTERS));
    rest = Math.floor(rest / LETTERS);
  }
  return code;
}

const LETTERS = 26;

export function workEmailAt(company: Company, index: number): string {
  return `${personAt(company, index).uid}.q${codeAt(index)}@nordhaven.example`;
}

/** Ids on the servers that take ours. */
export function userIdAt(index: number): string {
  return uuidOf("user", index);
}

export function groupIdAt(index: number): string {
  return uuidOf("group", index);
}
