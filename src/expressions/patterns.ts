import { setFlagsFromString } from "node:v8";
import type { ASTNode } from "@marcbachmann/cel-js";
import { messageOf } from "../errors.ts";

/** V8 decides what goes back too often anew, with an engine that never goes back: in time that grows with the text alone. */
export const NEVER_BACK_FOR_LONG = "--enable-experimental-regexp-engine-on-excessive-backtracks";

// A pattern as harmless as `^(\w+ ?)+$`, and somebody's own title, would otherwise hold this process up for ever.
setFlagsFromString(NEVER_BACK_FOR_LONG);

/** Lookaround and references to groups: RE2, by which CEL defines its patterns, has neither, and only going back finds them. */
const NEEDS_GOING_BACK = /\(\?(?:[=!]|<[=!])|\\[1-9]|\\k</;

/** Why a pattern of `matches` in an expression can't be taken; undefined when all can. One that is not written out could be anybody's. */
export function refusedPattern(ast: ASTNode): string | undefined {
  for (const left: unknown[] = [ast]; left.length > 0;) {
    const part = left.pop();
    if (Array.isArray(part)) left.push(...part);
    if (!isNode(part)) continue;
    const problem = problemOf(part);
    if (problem !== undefined) return problem;
    left.push(part.args);
  }
  return undefined;
}

function problemOf(node: ASTNode): string | undefined {
  if (node.op !== "rcall" || node.args[0] !== "matches") return undefined;
  const [pattern] = node.args[2];
  if (pattern?.op !== "value" || typeof pattern.args !== "string") return "matches takes a pattern that is written out, in quotes";
  if (NEEDS_GOING_BACK.test(pattern.args.replaceAll("\\\\", "")))
    return `the pattern ${pattern.args} looks around or refers to a group, which patterns here (RE2) can't`;
  try {
    // Compiles it, and finds nothing.
    "".search(pattern.args);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function isNode(part: unknown): part is ASTNode {
  return typeof part === "object" && part !== null && "op" in part && "args" in part;
}
