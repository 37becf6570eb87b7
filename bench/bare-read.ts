import { Client } from "ldapts";
import type { LdapSettings } from "../connectors/ldap/config.ts";

export interface BareReadJob {
  settings: LdapSettings;
  /** The fastest of so many reads counts. */
  repeat: number;
}

export interface BareRead {
  entries: number;
  /** Values of member attributes. */
  members: number;
  /** Milliseconds of the fastest read, bind included. */
  ms: number;
}

/**
 * What any program must do before it can decide anything: read the same entries with the same attributes in pages of the
 * same size, and look at nothing.
 */
export async function readBare({ settings, repeat }: BareReadJob): Promise<BareRead> {
  const reads: BareRead[] = [];
  for (let turn = 0; turn < repeat; turn++) reads.push(await readOnce(settings));
  return reads.reduce((best, read) => (read.ms < best.ms ? read : best));
}

async function readOnce(settings: LdapSettings): Promise<BareRead> {
  const started = performance.now();
  const client = new Client({ url: settings.url });
  await client.bind(settings.bindDn ?? "", settings.bindPassword ?? "");
  let entries = 0;
  let members = 0;
  try {
    for (const kind of ["units", "users", "groups"] as const) {
      const asked = settings[kind];
      if (!asked) continue;
      const own = [settings.nativeIdAttribute, settings.changedAttribute, ...(kind === "groups" ? settings.memberAttributes : [])];
      const pageSize = kind === "groups" ? settings.groupPageSize : settings.pageSize;
      const pages = client.searchPaginated(asked.base, {
        scope: asked.scope,
        filter: asked.filter,
        attributes: [...asked.attributes, ...own],
        paged: { pageSize },
      });
      for await (const { searchEntries } of pages) {
        entries += searchEntries.length;
        if (kind === "groups") for (const { member } of searchEntries) members += Array.isArray(member) ? member.length : 1;
      }
    }
  } finally {
    await client.unbind();
  }
  return { entries, members, ms: performance.now() - started };
}
