import { describe } from "@jest/globals";
import { openLdapSource } from "../../../connectors/ldap/read.ts";
import { openLdapWriteBack } from "../../../connectors/ldap/write.ts";
import { sourceContract, type SourceWorld } from "../../contract/source.ts";
import { writeBackContract } from "../../contract/write-back.ts";
import { domainOptions, openDomain, type Domain } from "../../helpers/active-directory.ts";
import { sambaIsHere } from "../../helpers/samba.ts";

const described = sambaIsHere() ? describe : describe.skip;

let domain: Domain;

async function company(): Promise<Domain> {
  domain = await openDomain();
  for (let number = 0; number < 25; number++)
    await domain.addPerson(`p${number}`, number === 0 ? {} : { manager: `CN=p${Math.floor(number / 5)},${domain.people}` });
  await domain.addGroup(
    "all",
    Array.from({ length: 25 }, (_, number) => `CN=p${number},${domain.people}`),
  );
  await domain.addGroup("nested", [`CN=all,${domain.groups}`, `CN=p1,${domain.people}`]);
  for (const name of ["north", "south"]) await domain.addUnit(name, domain.people);
  await domain.addUnit("lab", `OU=north,${domain.people}`);
  return domain;
}

async function world(): Promise<SourceWorld> {
  await company();
  let added = 0;
  const filters = { user: "(objectClass=user)", group: "(objectClass=group)", unit: "(objectClass=organizationalUnit)" };
  return {
    expected: async (kind) => {
      const base = { user: domain.people, group: domain.groups, unit: domain.units }[kind];
      const found = await domain.admin.search(base, { filter: filters[kind], attributes: ["cn"] });
      return Promise.all(found.searchEntries.map((entry) => domain.idOf(entry.dn)));
    },
    addPerson: () => domain.addPerson(`new${added++}`),
    changePerson: async (id) => domain.replace(await domain.dnOf(id), "title", [`Title ${added++}`]),
    removePerson: async (id) => domain.admin.del(await domain.dnOf(id)),
    addPersonOutside: () => domain.addPerson(`outside${added++}`, {}, `CN=Users,${domain.baseDn}`),
    unknownId: "00000000-0000-4000-8000-000000000000",
    spoil: (cursor) => ({ ...cursor, invocationId: "00000000-0000-4000-8000-000000000000" }),
    close: () => domain.stop(),
  };
}

described("Active Directory", () => {
  for (const changes of ["dirSync", "uSNChanged"] as const) {
    sourceContract({
      name: `ldap, Active Directory by ${changes} (Samba)`,
      world,
      open: ({ signal }) => openLdapSource(domainOptions(domain, { changes }, signal)),
    });
  }

  writeBackContract({
    name: "ldap, Active Directory (Samba)",
    world: async () => {
      domain = await openDomain();
      let added = 0;
      return {
        addPerson: () => domain.addPerson(`w${added++}`),
        removePerson: async (id) => domain.admin.del(await domain.dnOf(id)),
        maySignIn: async (id) => domain.maySignIn(await domain.dnOf(id)),
        addGroup: async (members) => domain.addGroup(`g${added++}`, await Promise.all(members.map(domain.dnOf))),
        members: async (id) => Promise.all((await domain.values(await domain.dnOf(id), "member")).map(domain.idOf)),
        close: () => domain.stop(),
      };
    },
    open: () => openLdapWriteBack(domainOptions(domain)),
  });
});
