import type { Request, Response } from "express";
import type { Logger } from "pino";
import { authenticateToken, type TokenHolder } from "../../auth/tokens.ts";
import { createContext, type Context } from "../../context.ts";
import type { Database } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { AppError } from "../../errors.ts";
import { requestIdOf } from "../middleware/request-id.ts";
import { STANDARD_SCHEMAS, type Schemas } from "./schema.ts";

/** What the SCIM door is wired with. */
export interface ScimDoorOptions {
  db: Database;
  keyRing: KeyRing;
  log: Logger;
  now: () => Date;
}

/** One request, once we know whose it is. */
export interface Call {
  ctx: Context;
  /** Where this door stands, as the client called it: `https://host/scim/v2`. */
  base: string;
  /** The client's connection. */
  connection: { id: number; name: string };
  /** What resources may hold, custom attributes included. */
  schemas: Schemas;
}

/** Throws `unauthenticated` without a valid token, `forbidden` when it opens another door or its connection is switched off. */
export async function authenticateCall(
  { request, response }: { request: Request; response: Response },
  { db, log, now }: ScimDoorOptions,
): Promise<Call> {
  const bearer = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? "")?.[1];
  const holder = await authenticateToken(db.pool, { bearer, now: now() });
  const connection = allowed(holder, request.params["connection"]);
  return {
    ctx: createContext({ actor: `token:${holder.name}`, log, now, correlationId: requestIdOf(response) }),
    base: `${request.protocol}://${request.host}${request.baseUrl}`,
    connection,
    schemas: STANDARD_SCHEMAS,
  };
}

/** The request's call, for the handlers after authentication. */
export function callOf(response: Response): Call {
  return response.locals["call"] as Call;
}

function allowed({ scope, connection }: TokenHolder, asked: unknown): { id: number; name: string } {
  if (scope !== "scim" || !connection)
    throw new AppError("forbidden", "This token is not for the SCIM door: make one with `rollcall token create --scope scim`.");
  if (asked !== undefined && asked !== connection.name)
    throw new AppError("forbidden", `This token belongs to another connection than ${String(asked)}.`);
  if (!connection.enabled) throw new AppError("forbidden", `The connection ${connection.name} is switched off.`);
  return connection;
}
