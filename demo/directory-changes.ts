import { Attribute, Change, Client } from "ldapts";
import type { Company, CompanyGroup, CompanyPerson, CompanyUnit } from "./company.ts";
import { groupDn, personAttributes, personDn } from "./ldif.ts";
import type { Slapd } from "./slapd.ts";

/** What an administrator of the directory does by hand, over LDAP. Each answers when it was done. */
export interface DirectoryAdmin {
  remove(person: CompanyPerson): Promise<Date>;
  add(person: CompanyPerson, groups: readonly CompanyGroup[]): Promise<Date>;
  /** Moves the entry to another unit (modrdn), changes what says so, and its team. */
  move(person: CompanyPerson, options: { unit: CompanyUnit; department: string; from: CompanyGroup; to: CompanyGroup }): Promise<Date>;
  close(): Promise<void>;
}

export async function connectAdmin(company: Company, slapd: Pick<Slapd, "url" | "baseDn" | "adminDn" | "adminPassword">): Promise<DirectoryAdmin> {
  const { baseDn } = slapd;
  const client = new Client({ url: slapd.url });
  await client.bind(slapd.adminDn, slapd.adminPassword);
  const member = (operation: "add" | "delete", dn: string) => new Change({ operation, modification: new Attribute({ type: "member", values: [dn] }) });
  const replace = (type: string, value: string) => new Change({ operation: "replace", modification: new Attribute({ type, values: [value] }) });
  return {
    async remove(person) {
      await client.del(personDn(person, baseDn));
      return new Date();
    },
    async add(person, groups) {
      const dn = personDn(person, baseDn);
      await client.add(dn, personAttributes(company, { person, baseDn }));
      for (const group of groups) await client.modify(groupDn(group, baseDn), member("add", dn));
      return new Date();
    },
    async move(person, { unit, department, from, to }) {
      const moved = { ...person, unit };
      // The overlays carry the new name into every group and manager that names it.
      await client.modifyDN(personDn(person, baseDn), personDn(moved, baseDn));
      await client.modify(personDn(moved, baseDn), [replace("departmentNumber", unit.code), replace("ou", department), ...(unit.location ? [replace("l", unit.location)] : [])]);
      await client.modify(groupDn(from, baseDn), member("delete", personDn(moved, baseDn)));
      await client.modify(groupDn(to, baseDn), member("add", personDn(moved, baseDn)));
      return new Date();
    },
    close: () => client.unbind(),
  };
}
