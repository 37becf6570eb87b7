/**
 * What went wrong, by the caller's reaction. Doors render it in their own protocol:
 * the SCIM door as urn:ietf:params:scim:api:messages:2.0:Error, the command line as a sentence and an exit code.
 */
export type ErrorCode =
  | "invalid" // the input is wrong; `field` names where
  | "not_found"
  | "conflict" // uniqueness, or a version that has moved on
  | "precondition_failed"
  | "unauthenticated"
  | "forbidden"
  | "too_large"
  | "unsupported_type" // a body in a form that is not read here
  | "not_acceptable" // nothing in a form that the caller reads
  | "rate_limited" // too many requests; `retryAfter` says when the next may come
  | "held" // a guard trips; nothing was changed
  | "busy" // somebody else holds the lock
  | "unavailable" // a system we need does not answer
  | "misconfigured"
  | "internal";

export interface AppErrorOptions {
  /** Which input, as the caller names it: `mapping.attributes.userName`, `filter`. */
  field?: string;
  /** More than one problem, each a sentence with its field. */
  problems?: readonly Problem[];
  /** RFC 7644 table 9, where the SCIM door shows it. */
  scimType?: string;
  /** Seconds until it makes sense to try again. */
  retryAfter?: number;
  cause?: unknown;
}

export interface Problem {
  field: string;
  message: string;
}

/** An error for the reader: what happened, to which thing, what to do. Never carries a secret. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly problems: readonly Problem[];
  readonly scimType: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "AppError";
    this.code = code;
    this.field = options.field;
    this.problems = options.problems ?? [];
    this.scimType = options.scimType;
    this.retryAfter = options.retryAfter;
  }
}

/** The sentence of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
