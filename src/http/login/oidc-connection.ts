import type { OidcSettings } from "../../../connectors/oidc/config.ts";
import { loadConnection, type LoadedConnection } from "../../connections/open.ts";
import { AppError } from "../../errors.ts";
import type { LoginOptions } from "./options.ts";

/** A connection of an OpenID provider, in use, with the settings as its connector gave them. */
export interface OidcConnection {
  connection: LoadedConnection;
  settings: OidcSettings;
}

const NAME = /^[a-z][a-z0-9-]{0,62}$/;

/** The connection that a path names. Throws `not_found` for every other name alike: nobody learns which connections there are. */
export async function oidcConnection({ db, keyRing }: LoginOptions, name: unknown): Promise<OidcConnection> {
  const unknown = new AppError("not_found", "There is no such way to sign in.");
  if (typeof name !== "string" || !NAME.test(name)) throw unknown;
  const connection = await loadConnection(db.requestPool, keyRing, name).catch((error: unknown) => {
    throw error instanceof AppError && error.code === "not_found" ? unknown : error;
  });
  if (connection.connector.name !== "oidc" || !connection.row.enabled) throw unknown;
  // The connector of this name has parsed them.
  return { connection, settings: connection.settings as OidcSettings };
}

/** Where the provider sends the browser back to: an address for each connection, so that answers of two can't be mixed up (RFC 9700 section 4.4.2.2). */
export function oidcAddress({ baseUrl }: Pick<LoginOptions, "baseUrl">, { name, page }: { name: string; page: string }): string {
  return `${baseUrl}/oidc/${name}/${page}`;
}
