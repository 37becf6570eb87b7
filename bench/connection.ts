import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { ldapSettings, type LdapSettings } from "../connectors/ldap/config.ts";
import type { Slapd } from "../demo/slapd.ts";
import { addConnection } from "../src/connections/store.ts";
import type { Context } from "../src/context.ts";
import { inTransaction, openDatabase } from "../src/db/database.ts";
import type { KeyRing } from "../src/db/envelope.ts";
import { projectFolder } from "../src/db/folder.ts";

export const CONNECTION = "directory";

interface Definition {
  settings: Readonly<Record<string, unknown>>;
}

/** The demo's own connection, pointed at this slapd. */
function definitionFor(slapd: Slapd): Definition & Record<string, unknown> {
  const definition = parse(readFileSync(path.join(projectFolder(), "demo/connections/directory.yaml"), "utf8")) as Definition &
    Record<string, unknown>;
  // Without TLS, like the bare read that it is compared with.
  const { caFile: _, startTls: __, ...settings } = definition.settings;
  return { ...definition, settings: { ...settings, url: slapd.url, bindDn: slapd.bindDn, bindPassword: slapd.bindPassword } };
}

/** What the connection asks of the directory, its defaults filled in: the bare read asks the same. */
export function settingsFor(slapd: Slapd): LdapSettings {
  return ldapSettings.parse(definitionFor(slapd).settings);
}

export async function addDirectory(
  ctx: Context,
  { databaseUrl, keyRing, slapd }: { databaseUrl: string; keyRing: KeyRing; slapd: Slapd },
): Promise<void> {
  const db = openDatabase({ url: databaseUrl, poolSize: 2 });
  try {
    await inTransaction(db, ctx, (work) => addConnection(work, { definition: definitionFor(slapd), keyRing }));
  } finally {
    await db.close();
  }
}
