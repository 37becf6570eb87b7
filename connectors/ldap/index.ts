import type { Connector } from "../contract.ts";
import { checkLdap } from "./check.ts";
import { ldapSettings, type LdapSettings } from "./config.ts";
import { openLdapSource } from "./read.ts";
import { openLdapWriteBack } from "./write.ts";

/** OpenLDAP and other directories of RFC 4510 to 4519. */
export const ldap: Connector<LdapSettings> = {
  name: "ldap",
  title: "LDAP directory",
  settings: ldapSettings,
  secretFields: ["bindPassword"],
  destinations: ["url", "startTls", "allowPlaintext", "ca", "caFile"],
  localPaths: ["caFile"],
  openSource: openLdapSource,
  openWriteBack: openLdapWriteBack,
  check: checkLdap,
  scopeOf: ({ users, groups, units, nativeIdAttribute, referrals }) => ({
    users: scope(users),
    groups: scope(groups),
    units: scope(units),
    nativeIdAttribute,
    referrals,
  }),
};

function scope(entries: LdapSettings["users"]) {
  return entries === undefined ? null : { base: entries.base, filter: entries.filter, scope: entries.scope };
}
