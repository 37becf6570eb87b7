import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { personAt, uuidOf, type Company, type CompanyGroup, type CompanyPerson, type CompanyUnit } from "./company.ts";

/**
 * The company as a directory below `baseDn`: units as a tree of organizationalUnit entries in ou=units, people inside
 * their units, groups in ou=groups. Text chunks of about 64 KB, in an order that slapadd takes (parents first).
 */
export async function* companyLdif(company: Company, { baseDn }: { baseDn: string }): AsyncGenerator<string> {
  const memberOf = groupsOfPeople(company);
  let chunk = "";
  for (const entry of entries(company, { baseDn, memberOf })) {
    chunk += entry;
    if (chunk.length < 65_536) continue;
    yield chunk;
    chunk = "";
  }
  if (chunk) yield chunk;
}

export async function writeCompanyLdif(company: Company, { baseDn, file }: { baseDn: string; file: string }): Promise<void> {
  await pipeline(Readable.from(companyLdif(company, { baseDn })), createWriteStream(file));
}

function* entries(company: Company, context: { baseDn: string; memberOf: ReadonlyMap<number, number[]> }): Generator<string> {
  for (const unit of company.units) yield unitEntry(unit, context.baseDn);
  for (let index = 0; index < company.people; index++) {
    const groups = (context.memberOf.get(index) ?? []).flatMap((at) => company.groupList[at] ?? []);
    yield personEntry(company, { person: personAt(company, index), groups, baseDn: context.baseDn });
  }
  for (const group of company.groupList) yield* groupEntry(company, { group, baseDn: context.baseDn });
}

export function unitDn(unit: CompanyUnit, baseDn: string): string {
  return `ou=${unit.name},${unit.parent ? unitDn(unit.parent, baseDn) : `ou=units,${baseDn}`}`;
}

export function personDn(person: Pick<CompanyPerson, "uid" | "unit">, baseDn: string): string {
  return `uid=${person.uid},${unitDn(person.unit, baseDn)}`;
}

export function groupDn(group: Pick<CompanyGroup, "name">, baseDn: string): string {
  return `cn=${group.name},ou=groups,${baseDn}`;
}

/** A person's attributes as an LDAP entry has them; `entryUUID` and `memberOf` are the server's own. */
export function personAttributes(company: Company, { person, baseDn }: { person: CompanyPerson; baseDn: string }): Record<string, string> {
  const manager = person.manager === undefined ? undefined : personAt(company, person.manager);
  return {
    objectClass: "inetOrgPerson",
    uid: person.uid,
    cn: `${person.givenName} ${person.familyName}`,
    sn: person.familyName,
    givenName: person.givenName,
    displayName: `${person.givenName} ${person.familyName}`,
    mail: person.mail,
    employeeNumber: person.employeeNumber,
    employeeType: person.employeeType,
    title: person.title,
    ou: person.department,
    departmentNumber: person.unit.code,
    l: person.location,
    preferredLanguage: person.language,
    telephoneNumber: person.telephone,
    ...(person.mobile && { mobile: person.mobile }),
    ...(manager && { manager: personDn(manager, baseDn) }),
  };
}

function personEntry(company: Company, options: { person: CompanyPerson; groups: readonly CompanyGroup[]; baseDn: string }): string {
  const { person, groups, baseDn } = options;
  const attributes = Object.entries(personAttributes(company, { person, baseDn })).map(([name, value]) => line(name, value));
  const memberOf = groups.map((group) => line("memberOf", groupDn(group, baseDn)));
  return [line("dn", personDn(person, baseDn)), ...attributes, ...memberOf, line("entryUUID", uuidOf("user", person.index)), "\n"].join("");
}

/** extensibleObject lets a unit carry the departmentNumber that its people carry. */
function unitEntry(unit: CompanyUnit, baseDn: string): string {
  return [
    line("dn", unitDn(unit, baseDn)),
    "objectClass: organizationalUnit\nobjectClass: extensibleObject\n",
    line("ou", unit.name),
    line("departmentNumber", unit.code),
    line("businessCategory", unit.type),
    unit.location ? line("l", unit.location) : "",
    line("entryUUID", uuidOf("unit", unit.index)),
    "\n",
  ].join("");
}

function* groupEntry(company: Company, { group, baseDn }: { group: CompanyGroup; baseDn: string }): Generator<string> {
  yield `${line("dn", groupDn(group, baseDn))}objectClass: groupOfNames\n${line("cn", group.name)}${line("description", group.description)}${line("entryUUID", uuidOf("group", group.index))}`;
  for (const index of group.people) yield line("member", personDn(personAt(company, index), baseDn));
  for (const at of group.groups) {
    const nested = company.groupList[at];
    if (nested) yield line("member", groupDn(nested, baseDn));
  }
  yield "\n";
}

/** slapadd computes no memberOf: the file must bring it. */
function groupsOfPeople(company: Company): ReadonlyMap<number, number[]> {
  const groups = new Map<number, number[]>();
  for (const group of company.groupList) {
    for (const person of group.people) {
      const known = groups.get(person);
      if (known) known.push(group.index);
      else groups.set(person, [group.index]);
    }
  }
  return groups;
}

/** RFC 2849: what is not safe ASCII goes in base64. */
function line(name: string, value: string): string {
  return /^[\x21-\x39\x3b\x3d-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value)
    ? `${name}: ${value}\n`
    : `${name}:: ${Buffer.from(value).toString("base64")}\n`;
}
