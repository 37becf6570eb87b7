import type { Request, RequestHandler, Response } from "express";
import type { Logger } from "pino";
import type { Network } from "../../../connectors/contract.ts";
import type { Dialect, RateLimit, ScimInboundSettings } from "../../../connectors/scim-inbound/config.ts";
import { scimClientAuthentication } from "../../auth/scim-clients.ts";
import { createContext, type Context } from "../../context.ts";
import type { Database } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { AppError } from "../../errors.ts";
import { clientCertificate, type ClientCertificateSettings } from "../middleware/client-certificate.ts";
import { requestIdOf } from "../middleware/request-id.ts";
import { createTokenBuckets } from "../middleware/token-buckets.ts";
import { baseOf } from "./base.ts";
import { createCatalogue } from "./catalogue.ts";
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
  /** Most requests of one token, unless its connection says otherwise; no limit when absent. */
  rateLimit?: RateLimit | undefined;
  /** Where a trusted proxy puts the client's certificate; none is looked for when absent. */
  clientCertificate?: ClientCertificateSettings | undefined;
  /** From where issuers' keys may be fetched; absent = public addresses only. */
  network?: Network | undefined;
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

/**
 * Puts the request's call in its place, for `callOf`. Throws `unauthenticated` without valid credentials; `forbidden` when
 * they open another door or their connection is switched off; `rate_limited` when they come too often.
 */
export function authenticated(options: ScimDoorOptions): RequestHandler {
  const { db, log, now, rateLimit } = options;
  const authenticate = scimClientAuthentication({ sql: db.pool, now, network: options.network });
  const catalogue = createCatalogue(db.pool);
  const buckets = createTokenBuckets({ now });
  return async (request, response, next) => {
    const client = await authenticate({
      bearer: bearerOf(request),
      certificate: clientCertificate(request, { settings: options.clientCertificate, now: now() }),
      connection: connectionAsked(request),
    });
    const { connection, settings, personId } = client;
    const limit = settings.rateLimit ?? rateLimit;
    const wait = limit && buckets.take(client.key, limit);
    if (wait !== undefined) throw tooMany(wait);
    const call: Call = {
      ctx: createContext({ actor: `token:${client.name}`, log, now, correlationId: requestIdOf(response) }),
      base: baseOf(request),
      connection: { id: connection.id, name: connection.name, version: connection.version },
      settings,
      dialect: settings.dialect === "auto" ? (recognisedDialect(request.headers["user-agent"]) ?? "generic") : settings.dialect,
      visibility: settings.visibility,
      schemas: await catalogue.schemasAt(client.catalogueVersion),
      personId,
    };
    response.locals["call"] = call;
    next();
  };
}

function bearerOf(request: Request): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? "")?.[1];
}

function connectionAsked(request: Request): string | undefined {
  const asked = request.params["connection"];
  return typeof asked === "string" ? asked : undefined;
}

function tooMany(wait: number): AppError {
  const retryAfter = Math.max(1, Math.ceil(wait));
  return new AppError("rate_limited", `This token sends more requests than it may; try again in ${retryAfter} s.`, { retryAfter });
}

/** The request's call, for the handlers after authentication. */
export function callOf(response: Response): Call {
  return response.locals["call"] as Call;
}
