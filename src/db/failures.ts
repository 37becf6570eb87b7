import { AppError } from "../errors.ts";

const ASK_AGAIN_SECONDS = 1;
const ASK_AGAIN_AFTER_LOAD_SECONDS = 5;
/** Somebody has to make room first. */
const ASK_AGAIN_WHEN_FULL_SECONDS = 60;

/** What PostgreSQL and the way to it say when it stops, starts, has no place left, or is not there. */
const GONE: ReadonlySet<string> = new Set([
  "08000",
  "08001",
  "08003",
  "08004",
  "08006",
  "53300",
  "57P01",
  "57P02",
  "57P03",
  "57P05",
  "EAI_AGAIN",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
]);

/** What it says when its disk is full, or its memory. It goes on to answer what only reads. */
const FULL: ReadonlySet<string> = new Set(["53000", "53100", "53200"]);

/** What it says while it can only be read: another server is taking its place, or whoever runs it has closed it for want of room. */
const READ_ONLY = "25006";

/** What `pg` says, without a code, to those whose connection ended under them or was not to be had. */
const GONE_IN_WORDS: ReadonlySet<string> = new Set([
  "Client has encountered a connection error and is not queryable",
  "Client was closed and is not queryable",
  "Connection terminated",
  "Connection terminated due to connection timeout",
  "Connection terminated unexpectedly",
  "timeout exceeded when trying to connect",
  "timeout expired",
]);

/** Whether this says that the database could not be asked, or was lost before it had answered. Pure. */
export function databaseIsGone(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof AppError) return false;
  const code: unknown = "code" in error ? error.code : undefined;
  return typeof code === "string" ? GONE.has(code) : GONE_IN_WORDS.has(error.message);
}

/** A failure of the database that passes by itself, for whoever may ask again; undefined for any other. Pure. */
export function passingFailure(error: unknown): AppError | undefined {
  const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
  if (typeof code === "string" && FULL.has(code))
    return new AppError("unavailable", "The database has no room left: nothing can be changed until there is. Try again later.", {
      retryAfter: ASK_AGAIN_WHEN_FULL_SECONDS,
      cause: error,
    });
  if (code === READ_ONLY)
    return new AppError("unavailable", "The database can only be read at the moment: nothing can be changed. Try again later.", {
      retryAfter: ASK_AGAIN_AFTER_LOAD_SECONDS,
      cause: error,
    });
  if (code === "57014")
    return new AppError("busy", "The database took too long. Try again.", { retryAfter: ASK_AGAIN_AFTER_LOAD_SECONDS, cause: error });
  if (code === "40001" || code === "40P01")
    return new AppError("busy", "Somebody changed the same thing at the same time. Try again.", {
      retryAfter: ASK_AGAIN_SECONDS,
      cause: error,
    });
  if (databaseIsGone(error) || endsTheSession(error))
    return new AppError("unavailable", "The database does not answer. Try again soon.", { retryAfter: ASK_AGAIN_SECONDS, cause: error });
  return undefined;
}

/** Whatever its code, PostgreSQL let nobody in, or put somebody out: on a full disk it begins no session, and the code is that of a fault of its own. */
function endsTheSession(error: unknown): boolean {
  return error instanceof Error && "severity" in error && (error.severity === "FATAL" || error.severity === "PANIC");
}
