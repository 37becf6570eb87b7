import { Fault } from "../../connectors/contract.ts";
import { AppError, type ErrorCode } from "../errors.ts";

/** Exit codes that scripts may rely on; the README lists them. */
export const EXIT = { ok: 0, failed: 1, input: 2, held: 3, unavailable: 4 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_CODE: Readonly<Record<ErrorCode, ExitCode>> = {
  invalid: EXIT.input,
  not_found: EXIT.input,
  conflict: EXIT.input,
  precondition_failed: EXIT.input,
  unauthenticated: EXIT.input,
  forbidden: EXIT.input,
  too_large: EXIT.input,
  unsupported_type: EXIT.input,
  not_acceptable: EXIT.input,
  rate_limited: EXIT.unavailable,
  misconfigured: EXIT.input,
  held: EXIT.held,
  busy: EXIT.unavailable,
  unavailable: EXIT.unavailable,
  internal: EXIT.failed,
};

/** What a script should make of this error: its input was wrong, something is held, try again later, or simply failed. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof AppError) return BY_CODE[error.code];
  if (error instanceof Fault) {
    if (error.kind === "transient" || error.kind === "throttled") return EXIT.unavailable;
    return error.kind === "misconfigured" || error.kind === "denied" ? EXIT.input : EXIT.failed;
  }
  return EXIT.failed;
}
