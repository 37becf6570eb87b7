import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { rename } from "node:fs/promises";
import path from "node:path";
import { personAt, type Company, type CompanyUnit } from "../../../demo/company.ts";
import { spread, type Filled, type FillOptions } from "./filled.ts";

const HEADER = "number,login,first,last,mail,manager,groups,unit";

/** An HR feed with the company in it, one line a person, with a trailer that proves it whole. */
export async function fillCsv({ company, folder }: FillOptions): Promise<Filled> {
  const file = path.join(folder, "people.csv");
  const groups = groupsOfPeople(company);
  const write = async (changed: ReadonlySet<number>) => {
    const next = `${file}.next`;
    const stream = createWriteStream(next);
    stream.write(`${HEADER}\n`);
    for (let index = 0; index < company.people; index++) {
      const { employeeNumber, uid, givenName, familyName, mail, manager, unit } = personAt(company, index);
      const last = changed.has(index) ? `${familyName}-Vestergaard` : familyName;
      const superior = manager === undefined ? "" : personAt(company, manager).employeeNumber;
      const names = (groups.get(index) ?? []).join(";");
      const line = [employeeNumber, uid, givenName, last, mail, superior, names, pathOf(unit)].join(",");
      if (!stream.write(`${line}\n`)) await once(stream, "drain");
    }
    stream.end(`END,${company.people}\n`);
    await once(stream, "finish");
    await rename(next, file);
  };
  await write(new Set());
  return {
    settings: () => ({
      ...{ file, idColumn: "number", groupsColumn: "groups", groupsSeparator: ";", unitColumn: "unit", unitSeparator: "/", trailer: "END" },
    }),
    change: (count) => write(new Set(spread(company, count))),
    stop: () => Promise.resolve(),
  };
}

function pathOf(unit: CompanyUnit): string {
  return unit.parent === undefined ? unit.name : `${pathOf(unit.parent)}/${unit.name}`;
}

function groupsOfPeople(company: Company): Map<number, string[]> {
  const groups = new Map<number, string[]>();
  for (const { name, people } of company.groupList) {
    for (const person of people) {
      const names = groups.get(person);
      if (names) names.push(name);
      else groups.set(person, [name]);
    }
  }
  return groups;
}
