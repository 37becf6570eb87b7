/** A unique value that somebody else holds: 23505, which the general way turns into an answer. */
export function isTaken(error: unknown): boolean {
  return codeOf(error) === "23505";
}

/** Nobody's fault: the same request succeeds when it is made again. */
export function isDeadlock(error: unknown): boolean {
  return codeOf(error) === "40P01" || codeOf(error) === "40001";
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}
