import type { ASTNode } from "@marcbachmann/cel-js";
import { environments, type Subject } from "./environment.ts";

/** What must hold of a subject for an expression to be true, as far as that can be told without evaluating it: a text that a field is, or an element of a list. */
export type Implied =
  { all: readonly Implied[] } | { any: readonly Implied[] } | { field: string; equals: string } | { field: string; holds: string };

/** What an expression that compiles speaks of, so that nothing else needs to be read for it. */
export interface SpeaksOf {
  /** The fields of its subject; undefined when the subject is used whole. */
  fields: ReadonlySet<string> | undefined;
  /** Undefined when nothing is known. */
  implied: Implied | undefined;
}

export function speaksOf({ source, subject }: { source: string; subject: Subject }): SpeaksOf {
  const { ast } = environments[subject].parse(source);
  const fields = new Set<string>();
  return { fields: gatherFields(ast, { subject, fields }) ? fields : undefined, implied: impliedBy(ast, subject) };
}

/** False when the subject is met otherwise than before a dot. A macro's variable of the same name is taken for it, which only adds fields. */
function gatherFields(part: unknown, { subject, fields }: { subject: Subject; fields: Set<string> }): boolean {
  if (Array.isArray(part)) return part.every((each) => gatherFields(each, { subject, fields }));
  if (!isNode(part)) return true;
  const field = fieldOf(part, subject);
  if (field !== undefined) {
    fields.add(field);
    return true;
  }
  if (part.op === "id") return part.args !== subject;
  return gatherFields(part.args, { subject, fields });
}

export function isNode(part: unknown): part is ASTNode {
  return typeof part === "object" && part !== null && "op" in part && "args" in part;
}

function fieldOf(node: ASTNode, subject: Subject): string | undefined {
  if (node.op !== "." && node.op !== ".?") return undefined;
  const [of, field] = node.args;
  return of.op === "id" && of.args === subject ? field : undefined;
}

function impliedBy(node: ASTNode, subject: Subject): Implied | undefined {
  switch (node.op) {
    case "&&": {
      const all = node.args.flatMap((side) => impliedBy(side, subject) ?? []);
      return all.length === 0 ? undefined : { all };
    }
    case "||": {
      const any = node.args.map((side) => impliedBy(side, subject)).filter((side) => side !== undefined);
      return any.length < node.args.length ? undefined : { any };
    }
    case "==": {
      const [first, second] = node.args;
      return equality(first, second, subject) ?? equality(second, first, subject);
    }
    case "in": {
      const [value, list] = node.args;
      const [holds, field] = [textOf(value), fieldOf(list, subject)];
      return holds === undefined || field === undefined ? undefined : { field, holds };
    }
    default:
      return undefined;
  }
}

function equality(of: ASTNode, value: ASTNode, subject: Subject): Implied | undefined {
  const [field, equals] = [fieldOf(of, subject), textOf(value)];
  return field === undefined || equals === undefined ? undefined : { field, equals };
}

function textOf(node: ASTNode): string | undefined {
  return node.op === "value" && typeof node.args === "string" ? node.args : undefined;
}
