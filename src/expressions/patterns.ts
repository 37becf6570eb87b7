import { setFlagsFromString } from "node:v8";
import type { ASTNode } from "@marcbachmann/cel-js";
import { messageOf } from "../errors.ts";
import { linearForm } from "./linear-pattern.ts";

/** V8 decides what goes back too often anew, with an engine that never goes back: in time that grows with the text alone. */
export const NEVER_BACK_FOR_LONG = "--enable-experimental-regexp-engine-on-excessive-backtracks";

// A pattern as harmless as `^(\w+ ?)+$`, and somebody's own title, would otherwise hold this process up for ever.
setFlagsFromString(NEVER_BACK_FOR_LONG);
// That engine does not take every pattern, and V8 goes back without end for those that it leaves: with this, it says which.
setFlagsFromString("--enable-experimental-regexp-engine");

/** Lookaround and references to groups: RE2, by which CEL defines its patterns, has neither, and only going back finds them. */
const NEEDS_GOING_BACK = /\(\?(?:[=!]|<[=!])|\\[1-9]|\\k</;

/** Escapes, classes and flags that RE2 or others have: here they would mean the letters that they are written with. */
const MEANS_OTHERWISE = /\\(?![bBcdDfknrsStuvwWx])[A-Za-z]|\\x(?![0-9A-Fa-f]{2})|\\u(?![0-9A-Fa-f]{4})|\[\[:\w+:\]|\(\?(?!:|<[^=!])/;

/**
 * Sees to it that the patterns of `matches` in a parsed expression are decided in time that grows with the text alone, by writing
 * some in another form there. Why one can't be taken; undefined when all can. One that is not written out could be anybody's.
 */
export function refusedPattern(ast: ASTNode): string | undefined {
  return firstProblem(ast, problemOf);
}

/** What a pattern has that it can't mean; undefined when none has. For whoever writes one: what was saved before goes on meaning what it did. */
export function strangePattern(ast: ASTNode): string | undefined {
  return firstProblem(ast, (node) => {
    const pattern = patternOf(node);
    const [strange] = (pattern && MEANS_OTHERWISE.exec(withoutBackslashes(pattern.args))) ?? [];
    return pattern && strange !== undefined
      ? `the pattern ${pattern.args} has ${strange}, which patterns here (JavaScript's) don't know`
      : undefined;
  });
}

function firstProblem(ast: ASTNode, problem: (node: ASTNode) => string | undefined): string | undefined {
  for (const left: unknown[] = [ast]; left.length > 0;) {
    const part = left.pop();
    if (Array.isArray(part)) left.push(...part);
    if (!isNode(part)) continue;
    const found = problem(part);
    if (found !== undefined) return found;
    left.push(part.args);
  }
  return undefined;
}

/** The pattern of a call of `matches`, null where it is not written out; undefined for any other node. */
function patternOf(node: ASTNode): { args: string } | null | undefined {
  if (node.op !== "rcall" || node.args[0] !== "matches") return undefined;
  const [pattern] = node.args[2];
  return pattern?.op === "value" && typeof pattern.args === "string" ? (pattern as { args: string }) : null;
}

/** Two that stand for one begin no escape. */
function withoutBackslashes(pattern: string): string {
  return pattern.replaceAll("\\\\", "_");
}

function problemOf(node: ASTNode): string | undefined {
  const pattern = patternOf(node);
  if (pattern === undefined) return undefined;
  if (pattern === null) return "matches takes a pattern that is written out, in quotes";
  if (NEEDS_GOING_BACK.test(withoutBackslashes(pattern.args)))
    return `the pattern ${pattern.args} looks around or refers to a group, which patterns here (RE2) can't`;
  try {
    // Compiles it, and finds nothing.
    "".search(pattern.args);
  } catch (error) {
    return messageOf(error);
  }
  const form = isLinear(pattern.args) ? pattern.args : linearForm(pattern.args);
  if (form === undefined || !isLinear(form)) return `the pattern ${pattern.args} repeats too much too often`;
  Object.assign(pattern, { args: form });
  return undefined;
}

/** V8's flag for patterns that it can decide without going back; it refuses all others. */
const LINEAR = "l";

/** Whether it is one of them. */
function isLinear(pattern: string): boolean {
  try {
    return new RegExp(pattern, LINEAR).flags !== "";
  } catch {
    return false;
  }
}

function isNode(part: unknown): part is ASTNode {
  return typeof part === "object" && part !== null && "op" in part && "args" in part;
}
