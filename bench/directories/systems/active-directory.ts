import { Attribute, Change, Client } from "ldapts";
import { personAt, type Company, type CompanyUnit } from "../../../demo/company.ts";
import { sambaIsHere, startSamba } from "../../../test/helpers/samba.ts";
import { spread, type Filled, type FillOptions } from "./filled.ts";

/** NORMAL_ACCOUNT and PASSWD_NOTREQD: making keys of a password for everybody would take most of the time. */
const WITHOUT_PASSWORD = "544";

/** A real domain controller with the company in it: people in their units, managers and members by name, groups in groups. */
export async function fillActiveDirectory({ company }: FillOptions): Promise<Filled> {
  if (!sambaIsHere()) throw new Error("There is no Samba that could be started here: leave active-directory out of --kinds.");
  const samba = await startSamba();
  const admin = new Client({ url: samba.url, tlsOptions: { rejectUnauthorized: false } });
  await admin.bind(samba.adminDn, samba.adminPassword);
  const people = `OU=Company,${samba.baseDn}`;
  const groups = `OU=Groups,${samba.baseDn}`;
  const dnOf = (index: number) => `CN=${accountOf(index)},${unitDn(personAt(company, index).unit, people)}`;
  for (const dn of [people, groups, ...company.units.slice(1).map((unit) => unitDn(unit, people))])
    await admin.add(dn, { objectClass: "organizationalUnit" });
  for (let index = 0; index < company.people; index++) await admin.add(dnOf(index), attributesOf(company, { index, dnOf }));
  const groupDn = (name: string) => `CN=${name},${groups}`;
  for (const { index, name, description, people: members, groups: nested } of company.groupList) {
    const inside = [...nested].flatMap((at) => company.groupList[at]?.name ?? []).map(groupDn);
    const member = [...[...members].map(dnOf), ...inside];
    await admin.add(groupDn(name), { objectClass: "group", sAMAccountName: `group-${index}`, description, member });
  }
  return {
    settings: () => ({
      ...{ flavour: "activeDirectory", url: samba.url, caFile: samba.caFile, bindDn: samba.adminDn, bindPassword: samba.adminPassword },
      ...{ users: { base: people }, groups: { base: groups }, units: { base: people } },
    }),
    change: async (count) => {
      for (const index of spread(company, count)) {
        const title = new Attribute({ type: "title", values: [`${personAt(company, index).title}, senior`] });
        await admin.modify(dnOf(index), new Change({ operation: "replace", modification: title }));
      }
    },
    stop: async () => {
      await admin.unbind();
      await samba.stop();
    },
  };
}

const accountOf = (index: number) => `p${index}`;

function unitDn(unit: CompanyUnit, people: string): string {
  return unit.parent === undefined ? people : `OU=${unit.name},${unitDn(unit.parent, people)}`;
}

function attributesOf(company: Company, { index, dnOf }: { index: number; dnOf: (index: number) => string }): Record<string, string> {
  const person = personAt(company, index);
  return {
    objectClass: "user",
    userAccountControl: WITHOUT_PASSWORD,
    sAMAccountName: accountOf(index),
    userPrincipalName: person.mail,
    givenName: person.givenName,
    sn: person.familyName,
    displayName: `${person.givenName} ${person.familyName}`,
    mail: person.mail,
    employeeID: person.employeeNumber,
    employeeType: person.employeeType,
    title: person.title,
    department: person.department,
    telephoneNumber: person.telephone,
    ...(person.mobile === undefined ? {} : { mobile: person.mobile }),
    preferredLanguage: person.language,
    ...(person.manager === undefined ? {} : { manager: dnOf(person.manager) }),
  };
}
