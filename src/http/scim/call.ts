import type { Request, RequestHandler, Response } from "express";
import type { Logger } from "pino";
import type { Dialect, ScimInboundSettings } from "../../../connectors/scim-inbound/config.ts";
import { authenticateToken, type TokenHolder } from "../../auth/tokens.ts";
import { scimClientReader, type ScimClientReader } from "../../connections/scim-client.ts";
import { createContext, type Context } from "../../context.ts";
import type { Database } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { AppError } from "../../errors.ts";
import { requestIdOf } from "../middleware/request-id.ts";
import { baseOf } from "./base.ts";
import { createCatalogue, type Catalogue } from "./catalogue.ts";
import type { QuirkLog } from "./dialects/quirk-log.ts";
import { recognisedDialect } from "./dialects/recognise.ts";
import type { Schemas } from "./schema.ts";

/** What the SCIM door is wired with. */
export interface ScimDoorOptions {
  db: Database;
  keyRing: KeyRing;
  log: Logger;
  now: () => Date;
  quirks: QuirkLog;
}

/** One request, once we know whose it is. */
export interface Call {
  ctx: Context;
  /** Where this door stands, as the client called it: `https://host/scim/v2`. */
  base: string;
  /** The client's connection; its version moves whenever its definition changes. */
  connection: { id: number; name: string; version: number };
  settings: ScimInboundSettings;
  /** The client's profile: as the connection says, or recognised by the request, else `generic`. */
  dialect: Dialect;
  /** `own`: only what the connection has an account for is there. */
  visibility: "directory" | "own";
  /** What resources may hold, custom attributes included. */
  schemas: Schemas;
  /** The person whose token it is; null for a client that is nobody in particular. */
  personId: string | null;
}

/** Puts the request's call in its place, for `callOf`. Throws `unauthenticated` without a valid token, `forbidden` when it opens another door or its connection is switched off. */
export function authenticated(options: ScimDoorOptions): RequestHandler {
  const readSettings = scimClientReader();
  const catalogue = createCatalogue(options.db.pool);
  return async (request, response, next) => {
    response.locals["call"] = await authenticateCall({ request, response, readSettings, catalogue }, options);
    next();
  };
}

async function authenticateCall(
  {
    request,
    response,
    readSettings,
    catalogue,
  }: { request: Request; response: Response; readSettings: ScimClientReader; catalogue: Catalogue },
  { db, log, now }: ScimDoorOptions,
): Promise<Call> {
  const bearer = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? "")?.[1];
  const holder = await authenticateToken(db.pool, { bearer, now: now() });
  const { id, name, version, settings: stored } = allowed(holder, request.params["connection"]);
  const settings = readSettings({ name, settings: stored });
  return {
    ctx: createContext({ actor: `token:${holder.name}`, log, now, correlationId: requestIdOf(response) }),
    base: baseOf(request),
    connection: { id, name, version },
    settings,
    dialect: settings.dialect === "auto" ? (recognisedDialect(request.headers["user-agent"]) ?? "generic") : settings.dialect,
    visibility: settings.visibility,
    schemas: await catalogue.schemasAt(holder.catalogueVersion),
    personId: holder.personId,
  };
}

/** The request's call, for the handlers after authentication. */
export function callOf(response: Response): Call {
  return response.locals["call"] as Call;
}

function allowed({ scope, connection }: TokenHolder, asked: unknown): NonNullable<TokenHolder["connection"]> {
  if (scope !== "scim" || !connection)
    throw new AppError("forbidden", "This token is not for the SCIM door: make one with `rollcall token create --scope scim`.");
  if (asked !== undefined && asked !== connection.name)
    throw new AppError("forbidden", `This token belongs to another connection than ${String(asked)}.`);
  if (!connection.enabled) throw new AppError("forbidden", `The connection ${connection.name} is switched off.`);
  return connection;
}
