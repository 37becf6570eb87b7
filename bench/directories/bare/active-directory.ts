import { readFileSync } from "node:fs";
import { Client } from "ldapts";
import { forActiveDirectory } from "../../../connectors/ldap/active-directory/defaults.ts";
import type { LdapSettings } from "../../../connectors/ldap/config.ts";
import type { BareCount } from "./pages.ts";

/** The same entries with the same attributes in pages of the same size; a member attribute in ranges counts as it comes. */
export async function readActiveDirectoryBare(given: LdapSettings): Promise<BareCount> {
  const settings = forActiveDirectory(given);
  const client = new Client({ url: settings.url, tlsOptions: { ca: readFileSync(settings.caFile ?? "") } });
  await client.bind(settings.bindDn ?? "", settings.bindPassword ?? "");
  const count = { records: 0, members: 0, requests: 0 };
  try {
    for (const kind of ["units", "users", "groups"] as const) {
      const asked = settings[kind];
      if (asked === undefined) continue;
      const own = [settings.nativeIdAttribute, settings.changedAttribute, ...(kind === "groups" ? settings.memberAttributes : [])];
      const pageSize = kind === "groups" ? settings.groupPageSize : settings.pageSize;
      const { base, scope, filter, attributes } = asked;
      const pages = client.searchPaginated(base, { scope, filter, attributes: [...attributes, ...own], paged: { pageSize } });
      for await (const { searchEntries } of pages) {
        count.records += searchEntries.length;
        for (const entry of searchEntries)
          for (const [name, values] of Object.entries(entry))
            if (name === "member" || name.startsWith("member;")) count.members += Array.isArray(values) ? values.length : 1;
      }
    }
  } finally {
    await client.unbind();
  }
  return count;
}
