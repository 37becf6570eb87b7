import { environments, type Subject } from "./environment.ts";
import { isNode } from "./speaks-of.ts";

/**
 * The fields that expressions read of their subject and none of them asks for first, by `has(account.end)` or `"end" in account`: whoever
 * wrote them takes it that the subject can have these. One that does not compile says so where it is used.
 */
export function takenForGranted({ sources, subject }: { sources: readonly string[]; subject: Subject }): string[] {
  const read = new Set<string>();
  const askedFor = new Set<string>();
  const environment = environments[subject];
  for (const source of sources) if (environment.check(source).valid) gather(environment.parse(source).ast, { subject, read, askedFor });
  return [...read].filter((field) => !askedFor.has(field));
}

interface Gathered {
  subject: Subject;
  read: Set<string>;
  askedFor: Set<string>;
}

function gather(part: unknown, gathered: Gathered): void {
  const { subject, read, askedFor } = gathered;
  if (Array.isArray(part)) for (const each of part) gather(each, gathered);
  if (!isNode(part)) return;
  if (part.op === "call" && part.args[0] === "has") {
    for (const each of part.args[1]) {
      const field = fieldOf(each, subject);
      if (field !== undefined) askedFor.add(field);
    }
    return;
  }
  if (part.op === "in") {
    const [field, of] = part.args;
    if (of.op === "id" && of.args === subject && field.op === "value" && typeof field.args === "string") askedFor.add(field.args);
  }
  const field = fieldOf(part, subject);
  if (field === undefined) gather(part.args, gathered);
  else read.add(field);
}

/** `account.end`, or `account["end date"]`. */
function fieldOf(part: unknown, subject: Subject): string | undefined {
  if (!isNode(part) || (part.op !== "." && part.op !== "[]")) return undefined;
  const [of, field] = part.args;
  if (of.op !== "id" || of.args !== subject) return undefined;
  if (typeof field === "string") return field;
  return field.op === "value" && typeof field.args === "string" ? field.args : undefined;
}
