import type { Response } from "express";
import type { Logger } from "pino";
import { passingFailure } from "../../db/failures.ts";
import { AppError, type ErrorCode } from "../../errors.ts";

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

/** Answers with what went wrong. What is not ours to tell is logged, and shown as "internal". */
export function refuse(response: Response, { error, log, cutOff }: { error: unknown; log: Logger; cutOff: boolean }): void {
  if (cutOff) {
    // Nobody is left to read an answer.
    log.info({ err: error }, "a file was cut off on its way; nothing of it was kept");
    response.destroy();
    return;
  }
  const known = error instanceof AppError ? error : (passingFailure(error) ?? unknownError(error));
  const status = STATUS[known.code];
  if (status >= 500) log.error({ err: error }, "a feed request failed");
  if (known.code === "unauthenticated") response.set("WWW-Authenticate", 'Bearer realm="Rollcall feeds"');
  if (known.retryAfter !== undefined) response.set("Retry-After", String(known.retryAfter));
  response
    .status(status)
    .set("Cache-Control", "no-store")
    .json({ error: known.code, message: known.message, ...(known.field === undefined ? {} : { field: known.field }) });
}

/** What the router refuses before a route is found is the caller's mistake: an address that is no UTF-8. */
function unknownError(error: unknown): AppError {
  return (error as { status?: unknown } | null)?.status === 400
    ? new AppError("invalid", "The request can't be read.")
    : new AppError("internal", "Something went wrong here; the log of this server says what.");
}
