import type { StatementNames } from "../db/statement-names.ts";

/** PostgreSQL refuses parameters that a statement does not use: the others are numbered anew, and those that come again get a name. */
export function statementOf(
  names: StatementNames,
  text: string,
  values: readonly unknown[],
): { name?: string; text: string; values: unknown[] } {
  const kept: unknown[] = [];
  const at = new Map<string, string>();
  const renumbered = text.replace(/\$(\d+)/g, (placeholder, number: string) => {
    const known = at.get(placeholder);
    if (known !== undefined) return known;
    const made = `$${kept.push(values[Number(number) - 1])}`;
    at.set(placeholder, made);
    return made;
  });
  const name = names.nameOf(renumbered);
  return { ...(name === undefined ? {} : { name }), text: renumbered, values: kept };
}
