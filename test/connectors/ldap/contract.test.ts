import { ldap } from "../../../connectors/ldap/index.ts";
import { openLdapSource } from "../../../connectors/ldap/read.ts";
import { openLdapWriteBack } from "../../../connectors/ldap/write.ts";
import { sourceContract, type SourceWorld } from "../../contract/source.ts";
import { writeBackContract } from "../../contract/write-back.ts";
import { ldapOptions, openDirectory, type Directory } from "../../helpers/ldap.ts";

let directory: Directory;

async function company(): Promise<Directory> {
  directory = await openDirectory();
  for (let number = 0; number < 25; number++)
    await directory.addPerson(`p${number}`, { manager: `uid=p${Math.floor(number / 5)},${directory.people}` });
  await directory.addGroup(
    "all",
    Array.from({ length: 25 }, (_, number) => `uid=p${number},${directory.people}`),
  );
  await directory.addGroup("nested", [`cn=all,${directory.groups}`, `uid=p1,${directory.people}`]);
  for (const ou of ["north", "south"]) await directory.admin.add(`ou=${ou},${directory.units}`, { objectClass: "organizationalUnit", ou });
  await directory.admin.add(`ou=lab,ou=north,${directory.units}`, { objectClass: "organizationalUnit", ou: "lab" });
  return directory;
}

async function world(): Promise<SourceWorld> {
  await company();
  let added = 0;
  const filters = { user: "(objectClass=inetOrgPerson)", group: "(objectClass=groupOfNames)", unit: "(objectClass=organizationalUnit)" };
  return {
    expected: async (kind) => {
      const base = { user: directory.people, group: directory.groups, unit: directory.units }[kind];
      const found = await directory.admin.search(base, { filter: filters[kind], attributes: ["entryUUID"] });
      return found.searchEntries.map((entry) => String(entry["entryUUID"]));
    },
    addPerson: () => directory.addPerson(`new${added++}`),
    changePerson: async (id) => directory.replace(await directory.dnOf(id), "title", [`Title ${added++}`]),
    removePerson: async (id) => directory.admin.del(await directory.dnOf(id)),
    addPersonOutside: async () => {
      const dn = `uid=outside${added++},ou=svc,${directory.baseDn}`;
      await directory.admin.add(dn, { objectClass: "inetOrgPerson", uid: "outside", cn: "outside", sn: "outside" });
      return directory.idOf(dn);
    },
    unknownId: "00000000-0000-4000-8000-000000000000",
    spoil: (cursor) => ({ ...cursor, server: "another" }),
    close: () => directory.stop(),
  };
}

sourceContract({ name: `${ldap.name} (slapd)`, world, open: ({ signal }) => openLdapSource(ldapOptions(directory, {}, signal)) });

writeBackContract({
  name: `${ldap.name}, ppolicy (slapd)`,
  world: async () => {
    directory = await openDirectory();
    let added = 0;
    return {
      addPerson: () => directory.addPerson(`w${added++}`),
      removePerson: async (id) => directory.admin.del(await directory.dnOf(id)),
      maySignIn: async (id) => {
        const dn = await directory.dnOf(id);
        return directory.maySignIn(dn, `${dn.slice(4, dn.indexOf(","))}-password`);
      },
      addGroup: async (members) => directory.addGroup(`g${added++}`, await Promise.all(members.map(directory.dnOf))),
      members: async (id) => Promise.all((await directory.values(await directory.dnOf(id), "member")).map(directory.idOf)),
      close: () => directory.stop(),
    };
  },
  open: () => openLdapWriteBack(ldapOptions(directory, { disable: { kind: "ppolicy" } })),
});
