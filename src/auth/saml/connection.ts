import type { SamlSettings } from "../../../connectors/saml/config.ts";
import { loadConnection, type LoadedConnection } from "../../connections/open.ts";
import type { Sql } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { AppError } from "../../errors.ts";

/** A connection by which people sign in with SAML. */
export interface SamlConnection {
  loaded: LoadedConnection;
  id: number;
  name: string;
  settings: SamlSettings;
}

/** As definitions allow them; PostgreSQL takes no zero bytes. */
const NAME = /^[a-z0-9-]{1,63}$/;

/** Loads by name. Throws `not_found`, alike for what does not exist, is of another kind, or is disabled. */
export async function samlConnection(sql: Sql, { keyRing, name }: { keyRing: KeyRing; name: string }): Promise<SamlConnection> {
  const { rowCount } = NAME.test(name)
    ? await sql.query("select from connections where name = $1 and connector = 'saml' and enabled", [name])
    : { rowCount: 0 };
  if (!rowCount) throw new AppError("not_found", "There is no such way to sign in.", { field: "connection" });
  return samlConnectionOf(await loadConnection(sql, keyRing, name));
}

/** One of this kind that is loaded already, in use or not. */
export function samlConnectionOf(loaded: LoadedConnection): SamlConnection {
  // The connector of this name has parsed them.
  return { loaded, id: loaded.id, name: loaded.name, settings: loaded.settings as SamlSettings };
}
