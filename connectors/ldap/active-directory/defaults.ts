import { isDeepStrictEqual } from "node:util";
import type { EntriesSettings, LdapSettings } from "../config.ts";
import { DEFAULTS } from "../config.ts";

const USERS = {
  filter: "(&(objectCategory=person)(objectClass=user))",
  attributes: [
    "sAMAccountName",
    "userPrincipalName",
    "cn",
    "sn",
    "givenName",
    "displayName",
    "mail",
    "employeeID",
    "employeeNumber",
    "department",
    "company",
    "title",
    "telephoneNumber",
    "mobile",
    "preferredLanguage",
    "manager",
    "userAccountControl",
    "accountExpires",
  ],
};
const GROUPS = { filter: "(objectClass=group)", attributes: ["cn", "sAMAccountName", "description", "mail"] };

/**
 * The settings as they are meant for Active Directory: what was left at the defaults of other directories gets those of
 * this one. Pure; safe to repeat.
 */
export function forActiveDirectory(settings: LdapSettings): LdapSettings {
  const { users, groups } = settings;
  return {
    ...settings,
    flavour: "activeDirectory",
    ...(users === undefined ? {} : { users: entriesOf(users, { standard: DEFAULTS.users, here: USERS }) }),
    ...(groups === undefined ? {} : { groups: entriesOf(groups, { standard: DEFAULTS.groups, here: GROUPS }) }),
    memberAttributes: unlessSet(settings.memberAttributes, { standard: DEFAULTS.memberAttributes, here: ["member"] }),
    nativeIdAttribute: unlessSet(settings.nativeIdAttribute, { standard: DEFAULTS.nativeIdAttribute, here: "objectGUID" }),
    changedAttribute: unlessSet(settings.changedAttribute, { standard: DEFAULTS.changedAttribute, here: "whenChanged" }),
    disable: settings.disable ?? { kind: "userAccountControl" },
  };
}

interface Choice<T> {
  standard: T;
  here: T;
}

function entriesOf(entries: EntriesSettings, { standard, here }: Choice<Pick<EntriesSettings, "filter" | "attributes">>): EntriesSettings {
  return {
    ...entries,
    filter: unlessSet(entries.filter, { standard: standard.filter, here: here.filter }),
    attributes: unlessSet(entries.attributes, { standard: standard.attributes, here: here.attributes }),
  };
}

function unlessSet<T>(value: T, { standard, here }: Choice<T>): T {
  return isDeepStrictEqual(value, standard) ? here : value;
}
