import { COMPANY_NAME, personAt, type CompanyPerson } from "../../../demo/company.ts";
import { startGraph } from "../../../test/counterparts/graph/server.ts";
import { spread, type Filled, type FillOptions } from "./filled.ts";

/** More than a run takes, so that no token ends in the middle of a measurement. */
const TOKEN_SECONDS = 86_400;

/** A tenant of Microsoft Entra ID with the company in it: departments as properties, managers, groups in groups. */
export async function fillEntra({ company }: FillOptions): Promise<Filled> {
  const graph = await startGraph({ pageSize: 999, membersPerPage: 1000, tokenSeconds: TOKEN_SECONDS });
  const { tenant } = graph;
  const people = Array.from({ length: company.people }, (_, index) => tenant.add("users", userOf(personAt(company, index))));
  for (const [index, id] of people.entries()) {
    const { manager } = personAt(company, index);
    if (manager !== undefined) tenant.setManager(id, people[manager]);
  }
  const groups = company.groupList.map(({ name, description }) => tenant.add("groups", { displayName: name, description }));
  for (const { index, people: members, groups: nested } of company.groupList) {
    const group = groups[index] ?? "";
    for (const member of members) tenant.addMember(group, people[member] ?? "");
    for (const member of nested) tenant.addMember(group, groups[member] ?? "");
  }
  return {
    origin: graph.origin,
    settings: (address) => ({
      tenant: graph.tenantId,
      clientId: graph.application.clientId,
      clientSecret: graph.application.clientSecret,
      graphUrl: `${address}/v1.0`,
      loginUrl: address,
      units: "department",
    }),
    change: async (count) => {
      for (const index of spread(company, count))
        tenant.change(people[index] ?? "", { jobTitle: `${personAt(company, index).title}, senior` });
    },
    stop: () => graph.close(),
  };
}

function userOf(person: CompanyPerson): Record<string, unknown> {
  return {
    userPrincipalName: person.mail,
    displayName: `${person.givenName} ${person.familyName}`,
    givenName: person.givenName,
    surname: person.familyName,
    mail: person.mail,
    employeeId: person.employeeNumber,
    employeeType: person.employeeType,
    jobTitle: person.title,
    companyName: COMPANY_NAME,
    department: person.department,
    officeLocation: person.location,
    businessPhones: [person.telephone],
    ...(person.mobile === undefined ? {} : { mobilePhone: person.mobile }),
    preferredLanguage: person.language,
  };
}
