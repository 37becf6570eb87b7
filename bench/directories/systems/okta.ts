import { personAt, type CompanyPerson } from "../../../demo/company.ts";
import { openClock } from "../../../test/counterparts/okta/clock.ts";
import type { OktaUser } from "../../../test/counterparts/okta/org.ts";
import { openFakeOkta } from "../../../test/counterparts/okta/server.ts";
import { spread, type Filled, type FillOptions } from "./filled.ts";

const API_TOKEN = "00TokenOfTheBenchmarkThatNobodyElseHas000";
const DAY_MS = 86_400_000;

/** An Okta org with the company in it. Its groups hold people only, and it was filled a day ago, so that the overlap of increments is empty. */
export async function fillOkta({ company }: FillOptions): Promise<Filled> {
  const fake = await openFakeOkta(openClock());
  const { org, clock } = fake;
  fake.signIn.apiTokens.add(API_TOKEN);
  // What is measured is the reading, not the waiting that a rate limit asks for.
  fake.limits.perMinute["*"] = 1_000_000;
  const people = Array.from({ length: company.people }, (_, index) => {
    const user = userOf(personAt(company, index), clock.now().toISOString());
    // Not by addUser, which looks through everybody for the login.
    org.users.set(user.id, user);
    return user.id;
  });
  for (const { name, description, people: members } of company.groupList) {
    const group = org.addGroup({ name, description });
    for (const member of members) group.members.add(people[member] ?? "");
  }
  clock.advance(DAY_MS);
  return {
    origin: fake.url,
    settings: (address) => ({ url: address, apiToken: API_TOKEN, rateLimitShare: 1 }),
    change: async (count) => {
      for (const index of spread(company, count))
        org.updateUser(people[index] ?? "", { title: `${personAt(company, index).title}, senior` });
    },
    stop: () => fake.close(),
  };
}

function userOf(person: CompanyPerson, at: string): OktaUser {
  return {
    id: `00u${person.index.toString(36).padStart(17, "0")}`,
    ...{ status: "ACTIVE", transitioningToStatus: null, created: at, activated: at, statusChanged: at, lastLogin: null, lastUpdated: at },
    profile: {
      login: person.mail,
      email: person.mail,
      secondEmail: null,
      firstName: person.givenName,
      lastName: person.familyName,
      displayName: `${person.givenName} ${person.familyName}`,
      mobilePhone: person.mobile ?? null,
      primaryPhone: person.telephone,
      title: person.title,
      employeeNumber: person.employeeNumber,
      userType: person.employeeType,
      department: person.department,
      city: person.location,
      preferredLanguage: person.language,
    },
  };
}
