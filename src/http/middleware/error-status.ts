import type { AppError, ErrorCode } from "../../errors.ts";

/** The HTTP status of each kind of error (RFC 9110 section 15), for doors whose protocol has no table of its own. */
export const ERROR_STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid: 422,
  not_found: 404,
  conflict: 409,
  precondition_failed: 412,
  unauthenticated: 401,
  forbidden: 403,
  too_large: 413,
  unsupported_type: 415,
  not_acceptable: 406,
  rate_limited: 429,
  held: 503,
  busy: 503,
  unavailable: 502,
  misconfigured: 500,
  internal: 500,
};

/** The status of one error: what says when to come again is ours to wait for, not another system's. */
export function errorStatusOf({ code, retryAfter }: Pick<AppError, "code" | "retryAfter">): number {
  return code === "unavailable" && retryAfter !== undefined ? 503 : ERROR_STATUS[code];
}
