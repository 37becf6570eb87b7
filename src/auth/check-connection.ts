import type { CheckResult } from "../../connectors/contract.ts";
import type { OidcSettings } from "../../connectors/oidc/config.ts";
import { checkConnection } from "../connections/check.ts";
import type { LoadedConnection } from "../connections/open.ts";
import type { Context } from "../context.ts";
import type { Database } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { messageOf } from "../errors.ts";
import { checkOidcClient } from "./oidc/check.ts";
import { checkSaml } from "./saml/check.ts";
import { samlConnectionOf } from "./saml/connection.ts";

export interface CheckOptions {
  db: Database;
  keyRing: KeyRing;
  /** Where browsers reach us, without a slash at the end. */
  baseUrl: string;
  connection: LoadedConnection;
}

const NO_RECORDS: CheckResult = {
  name: "Records",
  ok: true,
  message: "there are none to try the mapping on: this connection knows people when they sign in",
};

/** What a check finds at the other side. By connections that sign people in, also whether it knows us. Stores nothing, signs nobody in, never throws for what it finds. */
export async function checkWhole(ctx: Context, options: CheckOptions): Promise<CheckResult[]> {
  const { connection } = options;
  const reached = connection.connector.check ? await checkConnection(connection, ctx) : [];
  try {
    if (connection.connector.name === "saml") {
      return [...(await checkSaml(ctx, { ...options, connection: samlConnectionOf(connection) })), NO_RECORDS];
    }
    if (connection.connector.name === "oidc") {
      // The connector of this name has parsed them.
      const settings = connection.settings as OidcSettings;
      const client = reached.some(({ ok }) => !ok) ? [] : await checkOidcClient(ctx, { ...options, settings, name: connection.name });
      return [...reached, ...client, NO_RECORDS];
    }
  } catch (error) {
    return [...reached, { name: "Sign-in", ok: false, message: messageOf(error) }];
  }
  return connection.connector.check ? reached : checkConnection(connection, ctx);
}
