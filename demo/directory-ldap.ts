import { rm } from "node:fs/promises";
import path from "node:path";
import { Attribute, Change, Client } from "ldapts";
import type { Company } from "./company.ts";
import { writeDefinition } from "./definition.ts";
import type { DemoDirectory } from "./directory.ts";
import { groupDn, personAttributes, personDn, writeCompanyLdif } from "./ldif.ts";
import { startSlapd } from "./slapd.ts";

const SUFFIX = "dc=nordhaven,dc=example";

/** A real OpenLDAP with the company in it, reached by StartTLS under a certificate authority of its own. */
export async function startLdapDirectory({ company, folder }: { company: Company; folder: string }): Promise<DemoDirectory> {
  const ldif = path.join(folder, "company.ldif");
  await writeCompanyLdif(company, { baseDn: SUFFIX, file: ldif });
  const slapd = await startSlapd({ folder: path.join(folder, "slapd"), ldif, suffix: SUFFIX });
  await rm(ldif);
  const { baseDn, url, caFile } = slapd;
  const asAdmin = async (work: (client: Client) => Promise<void>) => {
    const client = new Client({ url });
    await client.bind(slapd.adminDn, slapd.adminPassword);
    try {
      await work(client);
      return new Date();
    } finally {
      await client.unbind();
    }
  };
  const definitionFile = await writeDefinition({
    template: "directory",
    folder: path.join(folder, "connections"),
    settings: { url, caFile, bindDn: slapd.bindDn },
    secrets: { "directory.password": slapd.bindPassword },
  });
  return {
    name: "LDAP",
    about: `OpenLDAP at ${url} (StartTLS)`,
    definitionFile,
    tryIt: `ldapmodify -H ${url} -D ${slapd.adminDn} -w ${slapd.adminPassword}`,
    remove: (person) => asAdmin((client) => client.del(personDn(person, baseDn))),
    add: (person, groups) =>
      asAdmin(async (client) => {
        const dn = personDn(person, baseDn);
        await client.add(dn, personAttributes(company, { person, baseDn }));
        for (const group of groups) await client.modify(groupDn(group, baseDn), member("add", dn));
      }),
    move: (person, { unit, department, from, to }) =>
      asAdmin(async (client) => {
        const dn = personDn({ ...person, unit }, baseDn);
        // The overlays carry the new name into every group and manager that names it.
        await client.modifyDN(personDn(person, baseDn), dn);
        await client.modify(dn, [
          replace("departmentNumber", unit.code),
          replace("ou", department),
          ...(unit.location ? [replace("l", unit.location)] : []),
        ]);
        await client.modify(groupDn(from, baseDn), member("delete", dn));
        await client.modify(groupDn(to, baseDn), member("add", dn));
      }),
    stop: slapd.stop,
  };
}

function member(operation: "add" | "delete", dn: string): Change {
  return new Change({ operation, modification: new Attribute({ type: "member", values: [dn] }) });
}

function replace(type: string, value: string): Change {
  return new Change({ operation: "replace", modification: new Attribute({ type, values: [value] }) });
}
