import type { ASTNode } from "@marcbachmann/cel-js";

const LOOPS: ReadonlySet<unknown> = new Set(["all", "exists", "exists_one", "existsOne", "map", "filter"]);
/** Three lists of a hundred in each other are a million rounds, for each person. */
export const MOST_LOOPS = 2;

/** How many loops over lists stand in each other at most (CEL's macros `all`, `exists`, `map`, `filter`). One after the other count once. */
export function loopsWithin(part: unknown): number {
  if (Array.isArray(part)) return Math.max(0, ...part.map(loopsWithin));
  if (!isNode(part)) return 0;
  if (part.op !== "rcall" || !LOOPS.has(part.args[0])) return loopsWithin(part.args);
  const [, list, body] = part.args;
  return Math.max(loopsWithin(list), 1 + loopsWithin(body));
}

function isNode(part: unknown): part is ASTNode {
  return typeof part === "object" && part !== null && "op" in part && "args" in part;
}
