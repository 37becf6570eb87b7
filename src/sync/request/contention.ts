/** A unique value that somebody else holds: 23505, which the general way turns into an answer. */
export function isTaken(error: unknown): boolean {
  return codeOf(error) === "23505";
}

/** A period that overlaps another one: 23P01. */
export function isOverlap(error: unknown): boolean {
  return codeOf(error) === "23P01";
}

/** Nobody's fault: the same request succeeds when it is made again. */
export function isDeadlock(error: unknown): boolean {
  return codeOf(error) === "40P01" || codeOf(error) === "40001";
}

/**
 * PostgreSQL itself says that the statement failed: nothing of it is kept. Whoever lost the connection, was thrown off it (57P), or
 * met an inner error does not know. By code: the word for severity is in the server's language.
 */
export function isRolledBack(error: unknown): boolean {
  const code = codeOf(error);
  return typeof error === "object" && error !== null && "severity" in error && typeof code === "string" && !/^(08|57P|XX)/.test(code);
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}
