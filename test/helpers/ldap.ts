import { Attribute, Change, Client } from "ldapts";
import type { OpenOptions } from "../../connectors/contract.ts";
import { ldapSettings, type LdapSettings } from "../../connectors/ldap/config.ts";
import { startSlapd, type Slapd, type SlapdOptions } from "../../demo/slapd.ts";
import { silentLog } from "./database.ts";

/** A real slapd and an administrator's hand in it. */
export interface Directory extends Slapd {
  admin: Client;
  people: string;
  groups: string;
  units: string;
  addPerson(uid: string, more?: Record<string, string | string[]>): Promise<string>;
  addGroup(cn: string, members: readonly string[]): Promise<string>;
  /** entryUUID of a DN. */
  idOf(dn: string): Promise<string>;
  dnOf(id: string): Promise<string>;
  replace(dn: string, attribute: string, values: string[]): Promise<void>;
  values(dn: string, attribute: string): Promise<string[]>;
  maySignIn(dn: string, password: string): Promise<boolean>;
}

export async function openDirectory(options: SlapdOptions = {}): Promise<Directory> {
  const slapd = await startSlapd(options);
  const admin = new Client({ url: slapd.url });
  await admin.bind(slapd.adminDn, slapd.adminPassword);
  const values = async (dn: string, attribute: string) => {
    const [entry] = (await admin.search(dn, { scope: "base", attributes: [attribute] })).searchEntries;
    const value = entry?.[attribute] ?? [];
    return (Array.isArray(value) ? value : [value]).map(String);
  };
  const idOf = async (dn: string) => (await values(dn, "entryUUID"))[0] ?? "";
  const people = `ou=people,${slapd.baseDn}`;
  const groups = `ou=groups,${slapd.baseDn}`;
  return {
    ...slapd,
    admin,
    people,
    groups,
    units: `ou=units,${slapd.baseDn}`,
    values,
    idOf,
    addPerson: async (uid, more = {}) => {
      const dn = `uid=${uid},${people}`;
      await admin.add(dn, {
        objectClass: "inetOrgPerson",
        uid,
        cn: `Person ${uid}`,
        sn: uid,
        mail: `${uid}@example.org`,
        userPassword: `${uid}-password`,
        ...more,
      });
      return idOf(dn);
    },
    addGroup: async (cn, members) => {
      const dn = `cn=${cn},${groups}`;
      await admin.add(dn, { objectClass: "groupOfNames", cn, member: [...members] });
      return idOf(dn);
    },
    dnOf: async (id) => (await admin.search(slapd.baseDn, { filter: `(entryUUID=${id})`, attributes: ["1.1"] })).searchEntries[0]?.dn ?? "",
    replace: (dn, attribute, to) =>
      admin.modify(dn, new Change({ operation: "replace", modification: new Attribute({ type: attribute, values: to }) })),
    maySignIn: async (dn, password) => {
      const client = new Client({ url: slapd.url });
      try {
        await client.bind(dn, password);
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
      await slapd.stop();
    },
  };
}

/** Options to open the connector with: people, groups and units of that directory, seven entries a page. */
export function ldapOptions(
  directory: Slapd,
  settings: Record<string, unknown> = {},
  signal = new AbortController().signal,
): OpenOptions<LdapSettings> {
  const parsed = ldapSettings.parse({
    url: directory.tlsUrl,
    caFile: directory.caFile,
    bindDn: directory.bindDn,
    bindPassword: directory.bindPassword,
    users: { base: `ou=people,${directory.baseDn}` },
    groups: { base: `ou=groups,${directory.baseDn}` },
    units: { base: `ou=units,${directory.baseDn}` },
    pageSize: 7,
    groupPageSize: 3,
    ...settings,
  });
  return { settings: parsed, log: silentLog, signal, now: () => new Date() };
}

/** The Fault that a promise must end with. */
export async function faultOf(promise: Promise<unknown>): Promise<{ kind: string; message: string }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error && "kind" in error) return { kind: String(error.kind), message: error.message };
    throw error;
  }
  throw new Error("it did not fail");
}
