import type { Request, RequestHandler, Response } from "express";
import type { Logger } from "pino";
import type { Network } from "../../../connectors/contract.ts";
import type { Dialect, RateLimit, ScimInboundSettings } from "../../../connectors/scim-inbound/config.ts";
import { createRememberedClients } from "../../auth/remembered-clients.ts";
import { scimClientAuthentication, type ScimClient } from "../../auth/scim-clients.ts";
import type { TokenProof } from "../../auth/tokens.ts";
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
import { personReader, type PersonReader } from "./person-client.ts";
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
  /** What is kept back from that person; absent = nothing is. */
  reader?: PersonReader | undefined;
}

/** A request of a client that is remembered, before anything proved that it still may come in. */
export interface ClaimedCall {
  call: Call;
  proof: TokenProof;
  /** Authenticates in full, and puts the call in its place for `callOf`. Throws as authenticated() does. */
  authenticate(): Promise<void>;
}

/**
 * Puts the request's call in its place, for `callOf`. Throws `unauthenticated` without valid credentials; `forbidden` when
 * they open another door or their connection is switched off; `rate_limited` when they come too often.
 * A read of one type's resources, or a write of a user or of members, by a client that is remembered is only claimed (`claimedCallOf`): its own
 * statement proves it, so that it costs no trip to the database more. Whoever does not know of claims finds no call and answers nothing.
 */
export function authenticated(options: ScimDoorOptions): RequestHandler {
  const { db, now, rateLimit } = options;
  const authenticate = scimClientAuthentication({ sql: db.requestPool, now, network: options.network });
  const catalogue = createCatalogue(db.pool);
  const buckets = createTokenBuckets({ now });
  const remembered = createRememberedClients();

  const callFor = (client: ScimClient, { request, response }: Exchange): Call | Promise<Call> => {
    const schemas = catalogue.schemasAt(client.catalogueVersion);
    const made = (at: Schemas) => callOfClient(client, { request, response, options, schemas: at });
    return schemas instanceof Promise ? schemas.then(made) : made(schemas);
  };
  const take = ({ key, settings }: ScimClient): void => {
    const limit = settings.rateLimit ?? rateLimit;
    const wait = limit && buckets.take(key, limit);
    if (wait !== undefined) throw tooMany(wait);
  };
  const inFull = async (exchange: Exchange, { counted }: { counted: boolean }): Promise<void> => {
    const { request, response } = exchange;
    const client = await authenticate({
      bearer: bearerOf(request),
      certificate: clientCertificate(request, { settings: options.clientCertificate, now: now() }),
      connection: connectionAsked(request),
    });
    if (!counted) take(client);
    remembered.keep(client);
    response.locals["call"] = await callFor(client, exchange);
  };

  return async (request, response, next) => {
    const exchange = { request, response };
    response.locals["again"] = () => inFull(exchange, { counted: true });
    const bearer = isProvenByItself(request) ? bearerOf(request) : undefined;
    const known = bearer === undefined ? undefined : remembered.find(bearer, now());
    const asked = connectionAsked(request);
    if (known && (asked === undefined || asked === known.client.connection.name)) {
      take(known.client);
      const call = await callFor(known.client, exchange);
      const claimed: ClaimedCall = { call, proof: known.proof, authenticate: () => inFull(exchange, { counted: true }) };
      response.locals["claimed"] = claimed;
    } else await inFull(exchange, { counted: false });
    next();
  };
}

/** Lists and single resources of a type, writes of a user, and patches of a group: their handlers know of claims. */
const CLAIMED: Readonly<Record<string, RegExp>> = {
  GET: /^\/(Users|Groups|Units|Roles)(\/[^/.]+)?\/?$/,
  POST: /^\/Users\/?$/,
  PUT: /^\/Users\/[^/.]+\/?$/,
  PATCH: /^\/(Users|Groups)\/[^/.]+\/?$/,
};

function isProvenByItself({ method, path }: Request): boolean {
  return CLAIMED[method]?.test(path) ?? false;
}

interface Exchange {
  request: Request;
  response: Response;
}

function callOfClient(
  client: ScimClient,
  { request, response, options: { log, now }, schemas }: Exchange & { options: ScimDoorOptions; schemas: Schemas },
): Call {
  const { connection, settings, personId } = client;
  return {
    ctx: createContext({ actor: `token:${client.name}`, log, now, correlationId: requestIdOf(response) }),
    base: baseOf(request),
    connection: { id: connection.id, name: connection.name, version: connection.version },
    settings,
    dialect: settings.dialect === "auto" ? (recognisedDialect(request.headers["user-agent"]) ?? "generic") : settings.dialect,
    visibility: settings.visibility,
    schemas,
    personId,
    reader: personReader({ personId, schemas }),
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
  const call = response.locals["call"] as Call | undefined;
  if (!call) throw new Error("this handler was reached without an authenticated call");
  return call;
}

/** Authenticates a request that was before, without counting it anew, and returns its call as it is now. Throws as authenticated() does. */
export async function authenticateAgain(response: Response): Promise<Call> {
  await (response.locals["again"] as () => Promise<void>)();
  return callOf(response);
}

/** The call of a request that is still to be proved by its own statement; see `authenticated`. */
export function claimedCallOf(response: Response): ClaimedCall | undefined {
  return response.locals["claimed"] as ClaimedCall | undefined;
}
