import { Attribute, Change, Client, EqualityFilter } from "ldapts";
import type { OpenOptions } from "../../connectors/contract.ts";
import { formatGuid, parseGuid } from "../../connectors/ldap/active-directory/identifiers.ts";
import { ldapSettings, type LdapSettings } from "../../connectors/ldap/config.ts";
import { silentLog } from "./database.ts";
import { startSamba, type Samba } from "./samba.ts";

/** A real Active Directory and an administrator's hand in it. */
export interface Domain extends Samba {
  admin: Client;
  people: string;
  groups: string;
  units: string;
  /** Answers the objectGUID. */
  addPerson(name: string, more?: Record<string, string | string[]>, below?: string): Promise<string>;
  addGroup(name: string, members?: readonly string[], below?: string): Promise<string>;
  addUnit(name: string, below?: string): Promise<string>;
  idOf(dn: string): Promise<string>;
  dnOf(id: string): Promise<string>;
  replace(dn: string, attribute: string, values: string[]): Promise<void>;
  /** Changes one value of a list. */
  change(dn: string, operation: "add" | "delete", attribute: string, value: string): Promise<void>;
  values(dn: string, attribute: string): Promise<string[]>;
  maySignIn(dn: string): Promise<boolean>;
}

export const PASSWORD = "Passw0rd!person";

/** The password as Active Directory takes it (MS-ADTS 3.1.1.3.1.5): quoted, in UTF-16. */
function unicodePassword(password: string): Buffer {
  return Buffer.from(`"${password}"`, "utf16le");
}

export async function openDomain(): Promise<Domain> {
  const samba = await startSamba();
  const tlsOptions = { rejectUnauthorized: false };
  const admin = new Client({ url: samba.url, tlsOptions });
  await admin.bind(samba.adminDn, samba.adminPassword);
  const values = async (dn: string, attribute: string) => {
    const [entry] = (await admin.search(dn, { scope: "base", attributes: [attribute] })).searchEntries;
    const value = entry?.[attribute] ?? [];
    return (Array.isArray(value) ? value : [value]).map(String);
  };
  const idOf = async (dn: string) => {
    const found = await admin.search(dn, { scope: "base", attributes: ["objectGUID"], explicitBufferAttributes: ["objectGUID"] });
    const bytes = found.searchEntries[0]?.["objectGUID"];
    return Buffer.isBuffer(bytes) ? (formatGuid(bytes) ?? "") : "";
  };
  const domain: Domain = {
    ...samba,
    admin,
    people: `OU=People,${samba.baseDn}`,
    groups: `OU=Groups,${samba.baseDn}`,
    units: `OU=People,${samba.baseDn}`,
    values,
    idOf,
    addUnit: async (name, below = samba.baseDn) => {
      const dn = `OU=${name},${below}`;
      await admin.add(dn, { objectClass: "organizationalUnit", ou: name });
      return idOf(dn);
    },
    addPerson: async (name, more = {}, below = domain.people) => {
      const dn = `CN=${name},${below}`;
      const attributes = {
        sAMAccountName: name.replaceAll(" ", "-").slice(0, 20),
        givenName: name,
        sn: name,
        mail: `${name.replaceAll(" ", ".")}@example.org`,
        ...more,
      };
      const entries = Object.entries({ objectClass: "user", userAccountControl: "512", ...attributes });
      await admin.add(dn, [
        ...entries.map(([type, value]) => new Attribute({ type, values: typeof value === "string" ? [value] : value })),
        new Attribute({ type: "unicodePwd", values: [unicodePassword(PASSWORD)] }),
      ]);
      return idOf(dn);
    },
    addGroup: async (name, members = [], below = domain.groups) => {
      const dn = `CN=${name},${below}`;
      await admin.add(dn, { objectClass: "group", sAMAccountName: name, ...(members.length > 0 ? { member: [...members] } : {}) });
      return idOf(dn);
    },
    dnOf: async (id) => {
      const filter = new EqualityFilter({ attribute: "objectGUID", value: parseGuid(id) ?? Buffer.alloc(16) });
      return (await admin.search(samba.baseDn, { filter, attributes: ["cn"] })).searchEntries[0]?.dn ?? "";
    },
    replace: (dn, attribute, to) =>
      admin.modify(dn, new Change({ operation: "replace", modification: new Attribute({ type: attribute, values: to }) })),
    change: (dn, operation, attribute, value) =>
      admin.modify(dn, new Change({ operation, modification: new Attribute({ type: attribute, values: [value] }) })),
    maySignIn: async (dn) => {
      const client = new Client({ url: samba.url, tlsOptions });
      try {
        await client.bind(dn, PASSWORD);
        return true;
      } catch (error) {
        if (error instanceof Error && error.name === "InvalidCredentialsError") return false;
        throw error;
      } finally {
        await client.unbind();
      }
    },
    stop: async () => {
      await admin.unbind();
      await samba.stop();
    },
  };
  await domain.addUnit("People");
  await domain.addUnit("Groups");
  return domain;
}

/** Options to open the connector with: people, groups and units of that domain, seven entries a page. */
export function domainOptions(
  domain: Domain,
  settings: Record<string, unknown> = {},
  signal = new AbortController().signal,
): OpenOptions<LdapSettings> {
  const parsed = ldapSettings.parse({
    url: domain.url,
    caFile: domain.caFile,
    bindDn: domain.adminDn,
    bindPassword: domain.adminPassword,
    users: { base: domain.people },
    groups: { base: domain.groups },
    units: { base: domain.units },
    pageSize: 7,
    groupPageSize: 3,
    ...settings,
  });
  return { settings: parsed, log: silentLog, signal, now: () => new Date() };
}
