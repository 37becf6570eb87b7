import { DEPARTMENTS, FAMILY_NAMES, GIVEN_NAMES, LOCATIONS, PROJECT_WORDS, ROLE_GROUPS } from "./names.ts";

/**
 * A made-up company. Everything follows from an index and the seed, so that person 73,021 is known without
 * making those before, the same on every machine, and a big company takes no memory.
 */
export interface CompanyOptions {
  people: number;
  groups: number;
  /** How many of the groups are big ones, and their size. */
  bigGroups?: number;
  bigSize?: number;
  /** Groups that mirror the organisation (teams in departments in "Everyone", contractors, roles). Without: projects only. */
  organised?: boolean;
  seed?: number;
}

export interface Company extends Required<CompanyOptions> {
  units: readonly CompanyUnit[];
  groupList: readonly CompanyGroup[];
}

export interface CompanyUnit {
  index: number;
  code: string;
  name: string;
  type: "organization" | "department" | "team";
  location?: string;
  parent?: CompanyUnit;
}

export interface CompanyPerson {
  index: number;
  uid: string;
  givenName: string;
  familyName: string;
  mail: string;
  employeeNumber: string;
  employeeType: "employee" | "contractor";
  title: string;
  department: string;
  location: string;
  language: string;
  telephone: string;
  mobile?: string;
  unit: CompanyUnit;
  /** Index of the manager; absent for the first person. */
  manager?: number;
}

export interface CompanyGroup {
  index: number;
  name: string;
  description: string;
  /** Indexes of people and of other groups: direct members only. */
  people: Uint32Array;
  groups: readonly number[];
}

export const COMPANY_NAME = "Nordhaven Keys";
export const MAIL_DOMAIN = "nordhaven.example";
const SPAN_OF_CONTROL = 12;
const CONTRACTORS_PER_THOUSAND = 60;

/** What a number below `bound` is for this thing: a hash, not a sequence. */
export function draw(company: { seed: number }, { stream, index, bound }: { stream: number; index: number; bound: number }): number {
  let hash = Math.imul(company.seed ^ Math.imul(stream + 1, 0x9e3779b1), 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return ((hash ^ (hash >>> 16)) >>> 0) % bound;
}

/** One number a stream, so that a new attribute changes no other. */
const STREAM = { unit: 1, title: 2, type: 3, mobile: 4, groupSize: 5, member: 6, role: 7 };

export function createCompany(options: CompanyOptions): Company {
  const complete = { bigGroups: 0, bigSize: 0, organised: true, seed: 20_261_121, ...options };
  const base: Company = { ...complete, units: companyUnits(), groupList: [] };
  return { ...base, groupList: companyGroups(base) };
}

function companyUnits(): CompanyUnit[] {
  const units: CompanyUnit[] = [{ index: 0, code: "NHK", name: COMPANY_NAME, type: "organization" }];
  const add = (unit: Omit<CompanyUnit, "index">) => {
    const added = { index: units.length, ...unit };
    units.push(added);
    return added;
  };
  for (const department of DEPARTMENTS) {
    const parent = add({ code: department.code, name: department.name, type: "department", ...(units[0] && { parent: units[0] }) });
    for (const location of LOCATIONS) {
      add({
        code: `${department.code}-${location.code}`,
        name: `${department.name} ${location.name}`,
        type: "team",
        location: location.name,
        parent,
      });
    }
  }
  return units;
}

/** People are in teams; this is the team's place in the list of units. */
const teamIndex = (department: number, location: number) => 1 + department * (LOCATIONS.length + 1) + 1 + location;

export function personAt(company: Company, index: number): CompanyPerson {
  const combination = (index * 1009) % (GIVEN_NAMES.length * FAMILY_NAMES.length);
  const round = Math.floor(index / (GIVEN_NAMES.length * FAMILY_NAMES.length));
  const givenName = pick(GIVEN_NAMES, combination % GIVEN_NAMES.length);
  const familyName = pick(FAMILY_NAMES, Math.floor(combination / GIVEN_NAMES.length));
  const uid = `${ascii.get(givenName)}.${ascii.get(familyName)}${round ? round + 1 : ""}`;
  const place = draw(company, { stream: STREAM.unit, index, bound: DEPARTMENTS.length * LOCATIONS.length });
  const department = pick(DEPARTMENTS, Math.floor(place / LOCATIONS.length));
  const location = pick(LOCATIONS, place % LOCATIONS.length);
  const first = index === 0;
  const number = String(index + 1).padStart(7, "0");
  return {
    index,
    uid,
    givenName,
    familyName,
    mail: `${uid}@${MAIL_DOMAIN}`,
    employeeNumber: String(100_000 + index),
    employeeType: isContractor(company, index) ? "contractor" : "employee",
    title: first
      ? "Chief executive"
      : pick(department.titles, draw(company, { stream: STREAM.title, index, bound: department.titles.length })),
    department: department.name,
    location: location.name,
    language: location.language,
    telephone: `+48 12 ${number}`,
    ...(draw(company, { stream: STREAM.mobile, index, bound: 3 }) === 0 ? {} : { mobile: `+48 5${number}` }),
    unit: pick(company.units, first ? 0 : teamIndex(Math.floor(place / LOCATIONS.length), place % LOCATIONS.length)),
    ...(first ? {} : { manager: Math.floor((index - 1) / SPAN_OF_CONTROL) }),
  };
}

function isContractor(company: Company, index: number): boolean {
  return index > 0 && draw(company, { stream: STREAM.type, index, bound: 1000 }) < CONTRACTORS_PER_THOUSAND;
}

/** Letters without marks, for logins and addresses. */
function toAscii(name: string): string {
  const special: Readonly<Record<string, string>> = { ł: "l", ø: "o", đ: "d", ß: "ss", þ: "th", æ: "ae", ı: "i" };
  return name
    .toLowerCase()
    .normalize("NFKD")
    .replace(/[łøđßþæı]/g, (letter) => special[letter] ?? "")
    .replace(/[^a-z]/g, "");
}

const ascii: ReadonlyMap<string, string> = new Map([...GIVEN_NAMES, ...FAMILY_NAMES].map((name) => [name, toAscii(name)]));

function companyGroups(company: Company): CompanyGroup[] {
  const groups: CompanyGroup[] = [];
  const add = (name: string, description: string, people: Uint32Array, nested: readonly number[] = []) => {
    const index = groups.length;
    // An LDAP group must have a member, and a small company may have nobody in Lisboa.
    if (index >= company.groups || people.length + nested.length === 0) return [];
    groups.push({ index, name, description, people, groups: nested });
    return [index];
  };
  for (let big = 0; big < company.bigGroups; big++) {
    const people = Uint32Array.from(
      { length: Math.min(company.bigSize, company.people) },
      (_, member) => (big * 31 + member * 7) % company.people,
    );
    add(`Big ${big + 1}`, `${people.length} people`, unique(people));
  }
  if (company.organised) addOrganisation(company, add);
  while (groups.length < company.groups) {
    const index = groups.length;
    const size = Math.min(company.people, 5 + draw(company, { stream: STREAM.groupSize, index, bound: 90 }));
    const people = Uint32Array.from({ length: size }, (_, member) =>
      draw(company, { stream: STREAM.member, index: index * 128 + member, bound: company.people }),
    );
    // Now and then a project that contains the two before it.
    const nested = index % 25 === 24 ? [index - 1, index - 2] : [];
    add(
      `Project ${pick(PROJECT_WORDS, index % PROJECT_WORDS.length)} ${index}`,
      `Made in year ${2016 + (index % 11)}`,
      unique(people),
      nested,
    );
  }
  return groups;
}

/** Answers the group's index, or nothing when it was left out. */
type AddGroup = (name: string, description: string, people: Uint32Array, nested?: readonly number[]) => readonly number[];

function addOrganisation(company: Company, add: AddGroup): void {
  const teams = new Map<number, number[]>();
  const contractors: number[] = [];
  const roles = ROLE_GROUPS.map((): number[] => []);
  for (let index = 0; index < company.people; index++) {
    const unit = personAt(company, index).unit.index;
    teams.set(unit, [...(teams.get(unit) ?? []), index]);
    if (isContractor(company, index)) contractors.push(index);
    ROLE_GROUPS.forEach((role, at) => {
      const drawn = draw(company, { stream: STREAM.role + at, index, bound: 1000 });
      // The first two are in every role, so that a small company has them all.
      if (drawn < role.perThousand || (index > 0 && index <= 2)) roles[at]?.push(index);
    });
  }
  const departments = DEPARTMENTS.flatMap((department, at) => {
    const nested = LOCATIONS.flatMap((location, place) => {
      const people = Uint32Array.from(teams.get(teamIndex(at, place)) ?? []);
      return add(`Team ${department.code} ${location.name}`, `${department.name} in ${location.name}`, people);
    });
    return add(`Department ${department.name}`, "All its teams", new Uint32Array(), nested);
  });
  add("Everyone", "All departments", Uint32Array.of(0), departments);
  add("Contractors", "Everybody on a contract with an end", Uint32Array.from(contractors));
  ROLE_GROUPS.forEach((role, at) => add(role.name, "Carries a role", Uint32Array.from(roles[at] ?? [])));
}

function unique(people: Uint32Array): Uint32Array {
  return Uint32Array.from(new Set(people)).sort();
}

function pick<T>(list: readonly T[], index: number): T {
  const value = list[index];
  if (value === undefined) throw new RangeError(`there is no element ${index} among ${list.length}`);
  return value;
}

/** Deterministic UUIDs (version 4 in form), so that a directory made twice has the same ids. */
export function uuidOf(kind: "user" | "group" | "unit", index: number): string {
  const prefix = { user: "a11ce000", group: "b0b00000", unit: "c0de0000" }[kind];
  return `${prefix}-0000-4000-8000-${index.toString(16).padStart(12, "0")}`;
}
