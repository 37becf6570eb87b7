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

/** Two lists of a thousand that are written out in each other are a million rounds, for each person. */
export const MOST_ROUNDS = 2000;

/** How long lists are that variables of loops stand for. */
type Lengths = ReadonlyMap<string, number>;

/**
 * How often the innermost parts are worked out, as far as what is written out says: the lists in it, and texts that are split. What only
 * the values say counts once; there are few.
 */
export function roundsWithin(part: unknown, lengths: Lengths = new Map()): number {
  if (Array.isArray(part)) return part.reduce<number>((sum, each) => sum + roundsWithin(each, lengths), 0);
  if (!isNode(part)) return 0;
  if (part.op === "in") return roundsWithin(part.args, lengths) + lengthWithin(part.args[1], lengths);
  if (part.op !== "rcall" || !LOOPS.has(part.args[0])) return roundsWithin(part.args, lengths);
  const [, list, [variable, ...body]] = part.args;
  const length = Math.max(1, lengthWithin(list, lengths));
  const within = variable?.op === "id" ? new Map([...lengths, [variable.args, length]]) : lengths;
  return roundsWithin(list, lengths) + length * Math.max(1, roundsWithin(body, within));
}

/** How many elements what is written out there makes, at the most. */
function lengthWithin(part: unknown, lengths: Lengths): number {
  if (Array.isArray(part)) return part.reduce<number>((sum, each) => sum + lengthWithin(each, lengths), 0);
  if (!isNode(part)) return 0;
  if (part.op === "id") return lengths.get(part.args) ?? 0;
  if (part.op === "list" || part.op === "map") return part.args.length + lengthWithin(part.args, lengths);
  if (part.op === "rcall" && part.args[0] === "split") return textWithin(part.args[1]) + lengthWithin(part.args[1], lengths);
  return lengthWithin(part.args, lengths);
}

function textWithin(part: unknown): number {
  if (Array.isArray(part)) return part.reduce<number>((sum, each) => sum + textWithin(each), 0);
  if (!isNode(part)) return 0;
  return part.op === "value" ? (typeof part.args === "string" ? part.args.length : 0) : textWithin(part.args);
}

function isNode(part: unknown): part is ASTNode {
  return typeof part === "object" && part !== null && "op" in part && "args" in part;
}
