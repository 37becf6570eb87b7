import { AppError } from "../../errors.ts";

const DEEPEST = 16;
const PROTOTYPE_NAMES = new Set(["__proto__", "constructor", "prototype"]);

/**
 * How many names all objects of this JSON have together. Throws `invalid` for what is nested deeper
 * than any SCIM message, for names that mean something to JavaScript, for one that occurs twice in different letters (RFC 7643
 * section 2.1: names know no case, so that which of them counts would depend on who reads it), and for a number without end.
 */
export function checkStructure(value: unknown): number {
  let count = 0;
  const waiting: { value: unknown; depth: number }[] = [{ value, depth: 0 }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { value: held, depth } = next;
    if (typeof held === "number" && !Number.isFinite(held)) throw refused("A number of the request's body is too large.");
    if (typeof held !== "object" || held === null) continue;
    if (depth >= DEEPEST) throw refused(`The request's body is nested deeper than ${DEEPEST} levels.`);
    const names = Array.isArray(held) ? [] : Object.keys(held);
    count += names.length;
    const forbidden = names.find((name) => PROTOTYPE_NAMES.has(name));
    if (forbidden !== undefined) throw refused(`\`${forbidden}\` can't be the name of an attribute.`, forbidden);
    const twice = twiceIn(names);
    if (twice !== undefined) throw refused(`\`${twice.slice(0, 100)}\` occurs twice in one object, in different letters.`);
    const values: readonly unknown[] = Array.isArray(held) ? held : Object.values(held);
    for (const inner of values) {
      if (typeof inner === "object" || typeof inner === "number") waiting.push({ value: inner, depth: depth + 1 });
    }
  }
  return count;
}

function twiceIn(names: readonly string[]): string | undefined {
  if (names.length < 2) return undefined;
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name.toLowerCase()).size);
}

function refused(message: string, field?: string): AppError {
  return new AppError("invalid", message, { scimType: "invalidSyntax", ...(field === undefined ? {} : { field }) });
}
