import { createHash } from "node:crypto";
import { Router, urlencoded, type ErrorRequestHandler, type Request, type RequestHandler, type Response } from "express";
import type { Logger } from "pino";
import { issueAccessToken } from "../../auth/oauth-clients.ts";
import { createContext } from "../../context.ts";
import { inTransaction, type Database } from "../../db/database.ts";
import { passingFailure } from "../../db/failures.ts";
import { AppError } from "../../errors.ts";
import { requestIdOf } from "../middleware/request-id.ts";
import { createTokenBuckets } from "../middleware/token-buckets.ts";

export interface TokenEndpointOptions {
  db: Database;
  log: Logger;
  now: () => Date;
}

const MOST_BYTES = 8192;
/** An access token works for an hour: who asks more often has forgotten to keep it. */
const LIMIT = { perSecond: 1, burst: 60 };

/** The token endpoint (RFC 6749 section 3.2) of SCIM clients: client_credentials, the secret in the header or the form. */
export function createTokenEndpoint({ db, log, now }: TokenEndpointOptions): Router {
  const router = Router();
  const buckets = createTokenBuckets({ now });
  const issue: RequestHandler = async (request, response) => {
    const credentials = credentialsOf(request);
    const wait = buckets.take(keyOf(credentials), LIMIT);
    if (wait !== undefined) {
      response.set("Retry-After", String(Math.max(1, Math.ceil(wait))));
      return refuse(response, {
        status: 429,
        error: "invalid_request",
        description: "This client asks for tokens too often: keep one until it expires.",
      });
    }
    const ctx = createContext({ actor: `token:${credentials.clientId}`, log, now, correlationId: requestIdOf(response) });
    const { token, seconds } = await inTransaction(db, ctx, (work) => issueAccessToken(work, credentials));
    response.set(NOT_KEPT).json({ access_token: token, token_type: "Bearer", expires_in: seconds, scope: "scim" });
  };
  router.post("/", urlencoded({ extended: false, limit: MOST_BYTES, parameterLimit: 20, inflate: false }), issue);
  router.all("/", (_request, response) => {
    response.set("Allow", "POST");
    refuse(response, { status: 405, error: "invalid_request", description: "Tokens are fetched by POST." });
  });
  router.use(failed(log));
  return router;
}

/** The secret is part of it: who only knows the id must not use up the client's share. */
function keyOf({ clientId, clientSecret }: { clientId: string; clientSecret: string }): string {
  return createHash("sha256").update(`${clientId} ${clientSecret}`).digest("base64");
}

/** RFC 6749 section 5.1. */
const NOT_KEPT = { "Cache-Control": "no-store", Pragma: "no-cache" } as const;

class Refusal extends Error {
  readonly error: "invalid_request" | "unsupported_grant_type" | "invalid_scope";

  constructor(error: Refusal["error"], message: string) {
    super(message);
    this.error = error;
  }
}

/** Throws a Refusal for what is no request of this grant; `unauthenticated` without credentials. */
function credentialsOf(request: Request): { clientId: string; clientSecret: string } {
  const form: unknown = request.body;
  const field = (name: string): string | undefined => {
    const value: unknown =
      typeof form === "object" && form !== null && Object.hasOwn(form, name) ? (form as Record<string, unknown>)[name] : undefined;
    if (value !== undefined && typeof value !== "string") throw new Refusal("invalid_request", `${name} occurs more than once.`);
    return value;
  };
  const grant = field("grant_type");
  if (grant === undefined) throw new Refusal("invalid_request", "grant_type is missing: send client_credentials, as a form.");
  if (grant !== "client_credentials") throw new Refusal("unsupported_grant_type", "Only client_credentials is offered.");
  const scope = field("scope");
  if (scope !== undefined && scope.split(" ").some((one) => one !== "" && one !== "scim"))
    throw new Refusal("invalid_scope", "The only scope is scim.");
  const header = request.headers.authorization;
  const inForm = { clientId: field("client_id") ?? "", clientSecret: field("client_secret") ?? "" };
  if (header === undefined) return shown(inForm);
  if (inForm.clientSecret !== "") throw new Refusal("invalid_request", "The secret is in the header and in the form: send it once.");
  return shown(basic(header));
}

function shown(credentials: { clientId: string; clientSecret: string }): { clientId: string; clientSecret: string } {
  const { clientId, clientSecret } = credentials;
  // U+0000 is in no id of ours, and PostgreSQL takes no text with it.
  if (clientId !== "" && clientId.length <= 100 && !clientId.includes("\0") && clientSecret !== "") return credentials;
  throw new AppError("unauthenticated", "The client's id and secret are needed.");
}

/** RFC 6749 section 2.3.1: both parts are form-encoded before they are joined. */
function basic(header: string): { clientId: string; clientSecret: string } {
  const [, encoded = ""] = /^Basic +([A-Za-z0-9+/=]{1,1000}) *$/i.exec(header) ?? [];
  const [, id = "", secret = ""] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, "base64").toString("utf8")) ?? [];
  const decoded = (text: string) => {
    try {
      return decodeURIComponent(text.replaceAll("+", " "));
    } catch {
      // Many clients send it as it is.
      return text;
    }
  };
  return { clientId: decoded(id), clientSecret: decoded(secret) };
}

function failed(log: Logger): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) return next(error);
    if (error instanceof Refusal) return refuse(response, { status: 400, error: error.error, description: error.message });
    if (error instanceof AppError && error.code === "unauthenticated") {
      response.set("WWW-Authenticate", 'Basic realm="Rollcall tokens"');
      return refuse(response, { status: 401, error: "invalid_client", description: error.message });
    }
    const status: unknown = typeof error === "object" && error !== null && "status" in error ? error.status : undefined;
    if (typeof status === "number" && status >= 400 && status < 500)
      return refuse(response, { status, error: "invalid_request", description: "The request can't be read: send a small form." });
    log.error({ err: error }, "a token could not be issued");
    const passing = passingFailure(error);
    if (passing) {
      response.set("Retry-After", String(passing.retryAfter ?? 1));
      return refuse(response, { status: 503, error: "temporarily_unavailable", description: passing.message });
    }
    refuse(response, { status: 500, error: "server_error", description: "Something went wrong here; the log of this server says what." });
  };
}

function refuse(response: Response, { status, error, description }: { status: number; error: string; description: string }): void {
  response.status(status).set(NOT_KEPT).json({ error, error_description: description });
}
