import { rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { personAt, uuidOf, type Company, type CompanyPerson } from "./company.ts";
import { writeDefinition } from "./definition.ts";
import type { DemoDirectory } from "./directory.ts";

interface Line {
  person: CompanyPerson;
  groups: ReadonlySet<string>;
}

const HEADER = [
  "id",
  "uid",
  "givenName",
  "familyName",
  "displayName",
  "mail",
  "telephone",
  "mobile",
  "title",
  "employeeType",
  "language",
  "employeeNumber",
  "department",
  "manager",
  "unit",
  "groups",
];

/** The company as a CSV feed, written anew after each change as an HR system would: for where no slapd can be installed. */
export async function startCsvDirectory({ company, folder }: { company: Company; folder: string }): Promise<DemoDirectory> {
  const file = path.join(folder, "people.csv");
  const lines = companyLines(company);
  const write = async () => {
    // Written beside it and renamed: a reader sees the old file or the new one, never half of one.
    await writeFile(`${file}.new`, csvText(lines));
    await rename(`${file}.new`, file);
    return new Date();
  };
  await write();
  const definitionFile = await writeDefinition({ template: "feed", folder: path.join(folder, "connections"), settings: { file } });
  return {
    name: "the CSV feed",
    about: `a CSV feed at ${file}`,
    definitionFile,
    tryIt: `change a line of ${file}`,
    remove(person) {
      lines.delete(person.index);
      return write();
    },
    add(person, groups) {
      lines.set(person.index, { person, groups: new Set(groups.map(({ name }) => name)) });
      return write();
    },
    move(person, { unit, department, from, to }) {
      const groups = new Set(lines.get(person.index)?.groups);
      groups.delete(from.name);
      groups.add(to.name);
      lines.set(person.index, { person: { ...person, unit, department, location: unit.location ?? person.location }, groups });
      return write();
    },
    stop: async () => undefined,
  };
}

function companyLines(company: Company): Map<number, Line> {
  const groups = new Map<number, Set<string>>();
  for (const group of company.groupList) {
    for (const index of group.people) groups.set(index, (groups.get(index) ?? new Set()).add(group.name));
  }
  return new Map(
    Array.from({ length: company.people }, (_, index) => [
      index,
      { person: personAt(company, index), groups: groups.get(index) ?? new Set() },
    ]),
  );
}

function csvText(lines: ReadonlyMap<number, Line>): string {
  const rows = [...lines.values()].map(({ person, groups }) => [
    uuidOf("user", person.index),
    person.uid,
    person.givenName,
    person.familyName,
    `${person.givenName} ${person.familyName}`,
    person.mail,
    person.telephone,
    person.mobile ?? "",
    person.title,
    person.employeeType,
    person.language,
    person.employeeNumber,
    person.department,
    person.manager === undefined ? "" : uuidOf("user", person.manager),
    unitPath(person.unit),
    [...groups].join(";"),
  ]);
  return [HEADER, ...rows, ["END", String(rows.length)]].map((cells) => `${cells.map(quoted).join(",")}\n`).join("");
}

function unitPath(unit: CompanyPerson["unit"]): string {
  return unit.parent ? `${unitPath(unit.parent)}/${unit.code}` : unit.code;
}

function quoted(cell: string): string {
  return /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
