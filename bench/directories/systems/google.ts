import { COMPANY_NAME, personAt, type Company, type CompanyUnit } from "../../../demo/company.ts";
import { startGoogle } from "../../../test/counterparts/google/server.ts";
import type { User } from "../../../test/counterparts/google/state.ts";
import { spread, type Filled, type FillOptions } from "./filled.ts";

/** An organisation of Google Workspace with the company in it: org units, managers by address, groups in groups. */
export async function fillGoogle({ company }: FillOptions): Promise<Filled> {
  const fake = await startGoogle();
  const { organisation } = fake;
  for (const unit of company.units.slice(1)) organisation.addUnit(pathOf(unit));
  const people = Array.from({ length: company.people }, (_, index) => organisation.addUser(userOf(company, index)).id);
  const groups = company.groupList.map(({ index, name }) => organisation.addGroup({ email: `group-${index}@nordhaven.example`, name }).id);
  for (const { index, people: members, groups: nested } of company.groupList) {
    const group = groups[index] ?? "";
    for (const member of members) organisation.addMember(group, { id: people[member] ?? "" });
    for (const member of nested) organisation.addMember(group, { id: groups[member] ?? "" });
  }
  return {
    origin: fake.url,
    settings: (address) => {
      fake.tokenUrl = `${address}/token`;
      return {
        serviceAccountKey: fake.delegation.keyFile,
        administrator: fake.administrator,
        apiUrl: address,
        tokenUrl: fake.tokenUrl,
      };
    },
    change: async (count) => {
      for (const index of spread(company, count))
        organisation.changeUser(people[index] ?? "", { organizations: [jobOf(company, { index, suffix: ", senior" })] });
    },
    stop: () => fake.stop(),
  };
}

function pathOf(unit: CompanyUnit): string {
  return unit.parent === undefined ? "/" : `${unit.parent.parent === undefined ? "" : pathOf(unit.parent)}/${unit.name}`;
}

function jobOf(company: Company, { index, suffix = "" }: { index: number; suffix?: string }): Record<string, unknown> {
  const { title, department, employeeType } = personAt(company, index);
  return { title: title + suffix, department, description: employeeType, name: COMPANY_NAME, primary: true };
}

function userOf(company: Company, index: number): { email: string } & Partial<User> {
  const person = personAt(company, index);
  return {
    email: person.mail,
    name: { givenName: person.givenName, familyName: person.familyName },
    orgUnitPath: pathOf(person.unit),
    externalIds: [{ type: "organization", value: person.employeeNumber }],
    organizations: [jobOf(company, { index })],
    phones: [{ type: "work", value: person.telephone }, ...(person.mobile === undefined ? [] : [{ type: "mobile", value: person.mobile }])],
    languages: [{ languageCode: person.language, preference: "preferred" }],
    relations: person.manager === undefined ? [] : [{ type: "manager", value: personAt(company, person.manager).mail }],
  };
}
