import type { Logger } from "pino";
import { passingFailure } from "../../db/failures.ts";
import { AppError, messageOf, type ErrorCode } from "../../errors.ts";

/** RFC 7644 section 3.12. */
export const ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error";

export interface ScimError {
  schemas: [typeof ERROR_SCHEMA];
  /** The HTTP status, as a text. */
  status: string;
  scimType?: string;
  detail: string;
}

const STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  precondition_failed: 412,
  too_large: 413,
  unsupported_type: 415,
  not_acceptable: 406,
  rate_limited: 429,
  internal: 500,
  misconfigured: 500,
  held: 503,
  busy: 503,
  unavailable: 503,
};

/** Seconds until it makes sense to try again: a held request waits for a human, the others for a moment. */
const RETRY_AFTER: Readonly<Partial<Record<ErrorCode, number>>> = { held: 300, busy: 5, unavailable: 5 };

/** What PostgreSQL calls a statement that ran for too long (query_canceled). */
export const STATEMENT_CUT_OFF = "57014";

export interface ErrorAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: ScimError;
}

export function scimError(status: number, { detail, scimType }: { detail: string; scimType?: string | undefined }): ScimError {
  return { schemas: [ERROR_SCHEMA], status: String(status), ...(scimType ? { scimType } : {}), detail };
}

/** What a thrown error looks like to a SCIM client. What is not ours to tell is logged and shown as "internal". */
export function errorAnswer(error: unknown, { log }: { log: Logger }): ErrorAnswer {
  const known = asAppError(error);
  if (!known) {
    log.error({ err: error }, "a SCIM request failed");
    return {
      status: 500,
      headers: {},
      body: scimError(500, { detail: "Something went wrong here; the log of this server says what, under this answer's X-Request-Id." }),
    };
  }
  const status = STATUS[known.code];
  if (status >= 500 && known.code !== "held") log.error({ err: known }, "a SCIM request failed");
  const retryAfter = known.retryAfter ?? RETRY_AFTER[known.code];
  const headers: Record<string, string> = retryAfter === undefined ? {} : { "Retry-After": String(retryAfter) };
  if (known.code === "unauthenticated") headers["WWW-Authenticate"] = challenge(known);
  const scimType = known.scimType ?? (known.code === "conflict" ? "uniqueness" : known.code === "invalid" ? "invalidValue" : undefined);
  const detail = [known.message, ...known.problems.map(({ field, message }) => `${field}: ${message}`)].join(" ");
  return { status, headers, body: scimError(status, { detail, scimType }) };
}

/** RFC 6750 section 3: what was wrong is said only to who sent a token at all. */
function challenge({ field, message }: AppError): string {
  return `Bearer realm="Rollcall SCIM"${field === "token" ? `, error="invalid_token", error_description="${message.replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "'")}"` : ""}`;
}

/** Failures that PostgreSQL and the body parser name themselves. */
function asAppError(error: unknown): AppError | undefined {
  if (error instanceof AppError) return error;
  if (typeof error !== "object" || error === null) return undefined;
  const { code, type, status, limit } = error as { code?: unknown; type?: unknown; status?: unknown; limit?: unknown };
  switch (type) {
    case "entity.parse.failed":
      return new AppError("invalid", "The request's body is not JSON.", { scimType: "invalidSyntax", cause: error });
    case "entity.too.large":
      return new AppError("too_large", `The request's body is larger than this server takes (maxPayloadSize: ${String(limit)} bytes).`, {
        cause: error,
      });
    default:
  }
  // The router's own, for a path that can't be decoded, has no type.
  if (status === 400 && (typeof type === "string" || error instanceof URIError))
    return new AppError("invalid", typeof type === "string" ? messageOf(error) : "The URL is not encoded rightly.", {
      scimType: "invalidSyntax",
      cause: error,
    });
  if (status === 415) return new AppError("unsupported_type", "The body is in a form that is not read here.", { cause: error });
  if (code === "54000")
    return new AppError("invalid", "A value is longer than can be kept and found again; send a shorter one.", { cause: error });
  // Whoever asked for what is hard to find is told so where lists are read; all else was slow because others were at work.
  return passingFailure(error);
}
