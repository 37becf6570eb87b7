import { invalid } from "./errors.ts";

/** Clauses of a search for users or groups; all must hold. What the fake does not know it refuses, as Google does. */
export function searchOf(query: string | null, valueOf: (item: never, field: string) => unknown): (item: unknown) => boolean {
  if (query === null || query.trim() === "") return () => true;
  const clauses = [...query.matchAll(/(\w+)\s*(=|:)\s*('(?:[^'\\]|\\.)*'|\S+)/g)];
  if (
    clauses
      .map(([text]) => text)
      .join("")
      .replace(/\s/g, "") !== query.replace(/\s/g, "")
  )
    throw invalid("query");
  const tests = clauses.map(([, field = "", operator, raw = ""]) => {
    const value = raw.startsWith("'") ? raw.slice(1, -1).replace(/\\(.)/g, "$1") : raw;
    return (item: unknown): boolean => {
      const found = valueOf(item as never, field);
      if (found === undefined) throw invalid("query");
      const text = String(found).toLowerCase();
      const wanted = value.toLowerCase();
      if (field === "orgUnitPath") return text === wanted || text.startsWith(wanted === "/" ? "/" : `${wanted}/`);
      if (operator === ":") return wanted.endsWith("*") ? text.startsWith(wanted.slice(0, -1)) : text.includes(wanted);
      return text === wanted;
    };
  });
  return (item) => tests.every((test) => test(item));
}
