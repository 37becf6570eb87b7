import type { Request, RequestHandler } from "express";
import type { Dialect } from "../../../../connectors/scim-inbound/config.ts";
import { BULK_REQUEST } from "../bulk/request.ts";
import { callOf, claimedCallOf, type Call } from "../call.ts";
import { isJsonObject, type JsonValue } from "../json.ts";
import type { ResourceSchema } from "../schema.ts";
import { createBending, typicalDialect, type Bending } from "./bending.ts";
import { bendPatch } from "./patch.ts";
import { PROFILES, RECOGNISED } from "./profiles/index.ts";
import type { QuirkLog } from "./quirk-log.ts";
import { bendQuery, bendSearch } from "./query.ts";
import { bendResource, valueOf } from "./resource.ts";

/** One message to a resource endpoint: a request, or an operation of a bulk request. */
export interface Message {
  method: string;
  /** Below the door: `/Users/2819c223`. */
  path: string;
  body: JsonValue | undefined;
}

/** Puts what the client's profile departs from the RFCs in back into their form, before anything is validated; counts each quirk. */
export function bent(quirks: QuirkLog): RequestHandler {
  return (request, response, next) => {
    const call = claimedCallOf(response)?.call ?? callOf(response);
    const bending = bendingFor(call);
    try {
      if (response.locals["untidyPath"] === true) bending.allows("untidy-path");
      bendUrl(request, { call, bending });
      if (request.body !== undefined) {
        const { method, path } = request;
        request.body = bendBody({ method, path, body: request.body as JsonValue }, { call, bending });
      }
    } finally {
      noted(call, { bending, quirks });
    }
    next();
  };
}

/** The body of one message in the form of the RFCs. Throws `invalid` for a departure that the profile does not know. */
export function bendMessage(message: Message, { call, quirks }: { call: Call; quirks: QuirkLog }): JsonValue | undefined {
  const bending = bendingFor(call);
  try {
    return message.body === undefined ? undefined : bendBody(message, { call, bending });
  } finally {
    noted(call, { bending, quirks });
  }
}

/** A recognised client is not held to its profile: only one that an administrator has chosen is. */
function bendingFor({ settings, dialect }: Call): Bending {
  return createBending(settings.dialect === "auto" ? RECOGNISED[dialect] : PROFILES[dialect]);
}

function noted(call: Call, { bending, quirks }: { bending: Bending; quirks: QuirkLog }): void {
  const { bent: met } = bending;
  if (met.length === 0) return;
  if (call.settings.dialect === "auto" && call.dialect === "generic") call.dialect = typicalDialect(met) ?? call.dialect;
  const dialect: Dialect = call.dialect;
  for (const one of met) quirks.note({ connectionId: call.connection.id, dialect, ...one });
}

interface Where {
  call: Call;
  bending: Bending;
}

function bendBody({ method, path, body }: Message, { call, bending }: Where): JsonValue {
  if (body === undefined) return null;
  const schema = schemaAt(path, call);
  if (/\/\.search\/?$/i.test(path)) return isJsonObject(body) ? bendSearch(body, { ...filtered(schema, call), bending }) : body;
  if (/^\/Bulk\/?$/i.test(path)) return bendBulk(body, bending);
  if (!schema) return body;
  if (method === "PATCH") return bendPatch(body, { schema, bending });
  return isJsonObject(body) && (method === "POST" || method === "PUT") ? bendResource(body, { schema, bending }) : body;
}

/** A bulk request that does not say that it is one; its operations are bent one by one (`bendMessage`). */
function bendBulk(body: JsonValue, bending: Bending): JsonValue {
  const saysNothing = isJsonObject(body) && (valueOf(body, "schemas") ?? null) === null;
  return saysNothing && bending.allows("schemas-missing", { attribute: "schemas", scimType: "invalidSyntax" })
    ? { ...Object.fromEntries(Object.entries(body).filter(([name]) => name.toLowerCase() !== "schemas")), schemas: [BULK_REQUEST] }
    : body;
}

function bendUrl(request: Request, { call, bending }: Where): void {
  const at = request.url.indexOf("?");
  if (at < 0) return;
  const query = request.url.slice(at + 1);
  const bentQuery = bendQuery(query, { ...filtered(schemaAt(request.path, call), call), bending });
  if (bentQuery !== query) request.url = `${request.url.slice(0, at)}?${bentQuery}`;
}

/** What a filter is read by: a user's attributes where nothing else is known. */
function filtered(schema: ResourceSchema | undefined, { schemas }: Call): { schema: ResourceSchema; keepsNames: boolean } {
  return { schema: schema ?? schemas.user, keepsNames: schema === undefined };
}

function schemaAt(path: string, { schemas }: Call): ResourceSchema | undefined {
  const [, endpoint] = /^\/([^/]+)/.exec(path) ?? [];
  switch (endpoint?.toLowerCase()) {
    case "users":
    case "me":
      return schemas.user;
    case "groups":
      return schemas.group;
    default:
      return undefined;
  }
}
