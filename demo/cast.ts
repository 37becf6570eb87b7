import { personAt, type Company, type CompanyGroup, type CompanyPerson } from "./company.ts";
import type { Move } from "./directory.ts";
import { ROLE_GROUPS } from "./names.ts";
import { SMALLEST } from "./options.ts";

/** Departments that demo/rules.yaml speaks of: whose teams watch alarms, and where contractors have a role by what they are. */
const ALARM_DEPARTMENT = "Security";
const CONTRACTORS_DEPARTMENT = "Facilities";

/** Who the story is about: chosen by what they are, so that it works for a company of any size. */
export interface Cast {
  /** Leaves the company. */
  leaver: CompanyPerson;
  /** Is not there yet. */
  joiner: { person: CompanyPerson; groups: readonly CompanyGroup[] };
  /** Goes to another department, at the same place, into a team that carries a role. */
  mover: { person: CompanyPerson; move: Move };
  /** Holds no role, until one is given for a few seconds. */
  contractor: CompanyPerson;
}

export function castOf(company: Company): Cast {
  const carriers = roleCarriers(company);
  const managers = new Set(Array.from({ length: company.people }, (_, index) => personAt(company, index).manager));
  const everybody = Array.from({ length: company.people }, (_, index) => personAt(company, index));
  const plain = everybody.filter(
    ({ index, department }) => index > 2 && !carriers.has(index) && !managers.has(index) && department !== CONTRACTORS_DEPARTMENT,
  );
  const employees = plain.filter(({ employeeType }) => employeeType === "employee");
  const contractor = required(
    plain.find(({ employeeType }) => employeeType === "contractor"),
    "a contractor without a role",
  );
  const leaver = required(employees[0], "an employee");
  const mover = required(
    employees.find(({ index, location }) => index !== leaver.index && teamAt(company, location) !== undefined),
    "an employee beside a security team",
  );
  const joiner: CompanyPerson = { ...personAt(company, company.people), employeeType: "employee" };
  const to = required(teamAt(company, mover.location), "a security team");
  return {
    leaver,
    joiner: { person: joiner, groups: [groupNamed(company, teamNameOf(joiner)), groupNamed(company, "Key Wardens")] },
    mover: {
      person: mover,
      move: {
        unit: required(
          company.units.find(({ code }) => code === `SEC-${mover.unit.code.split("-")[1] ?? ""}`),
          "a security unit",
        ),
        department: ALARM_DEPARTMENT,
        from: groupNamed(company, teamNameOf(mover)),
        to,
      },
    },
    contractor,
  };
}

/** How many should have an account downstream: employees, and contractors who hold a role. Worked out from the company alone. */
export function expectedAccounts(company: Company): number {
  const carriers = roleCarriers(company);
  let accounts = 0;
  for (let index = 0; index < company.people; index++) {
    const { employeeType, department } = personAt(company, index);
    if (employeeType === "employee" || carriers.has(index) || department === CONTRACTORS_DEPARTMENT) accounts++;
  }
  return accounts;
}

/** People in groups that rules turn into roles. */
function roleCarriers(company: Company): ReadonlySet<number> {
  const names = new Set<string>(ROLE_GROUPS.map(({ name }) => name));
  return new Set(
    company.groupList.filter(({ name }) => names.has(name) || name.startsWith("Team SEC ")).flatMap(({ people }) => [...people]),
  );
}

function teamNameOf({ unit, location }: Pick<CompanyPerson, "unit" | "location">): string {
  return `Team ${unit.code.split("-")[0] ?? ""} ${location}`;
}

function teamAt(company: Company, location: string): CompanyGroup | undefined {
  return company.groupList.find(({ name }) => name === `Team SEC ${location}`);
}

function groupNamed(company: Company, name: string): CompanyGroup {
  return required(
    company.groupList.find((group) => group.name === name),
    `the group ${name}`,
  );
}

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined)
    throw new Error(
      `A company of this size has not got ${what}; the demo wants --people ${SMALLEST.people} or more, and --groups ${SMALLEST.groups} or more.`,
    );
  return value;
}
