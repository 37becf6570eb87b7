import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import type { Expression } from "../expressions/compile.ts";
import { compileCondition, nameOf, parseRule, type RuleDefinition } from "./rule-input.ts";

export type StoredCondition = { matches: Expression } | { matches: undefined; problem: string };

/**
 * The condition of a rule as it was saved, perhaps by a version of this server that took more than this one does. One that does not
 * compile stops its own rule only, and tells why; anybody's change would otherwise wait for it.
 */
export function storedCondition({ name, condition }: { name: string; condition: string }): StoredCondition {
  try {
    return { matches: compileCondition(condition, `rule ${name}`) };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "invalid") throw error;
    return { matches: undefined, problem: error.message };
  }
}

/** Why a rule can't be evaluated; null when it can. */
export function conditionProblem({ name, condition }: { name: string; condition: string | null }): string | null {
  const stored = condition === null ? undefined : storedCondition({ name, condition });
  return stored && stored.matches === undefined ? stored.problem : null;
}

/** The conditions of rules as they are saved, by name: of all, or of one. */
export async function savedConditions(sql: Sql, name?: string): Promise<ReadonlyMap<string, string>> {
  const { rows } = await sql.query<{ name: string; condition: string }>(
    "select name, condition from rules where condition is not null and deleted_at is null and ($1::text is null or name = $1)",
    [name ?? null],
  );
  return new Map(rows.map((rule) => [rule.name, rule.condition]));
}

/** Parses a rule that may be there already: see `parseRule`. */
export async function parseSavedRule(sql: Sql, input: unknown, { field }: { field?: string } = {}): Promise<RuleDefinition> {
  const name = nameOf(input);
  return parseRule(input, { ...(field === undefined ? {} : { field }), saved: (await savedConditions(sql, name)).get(name) });
}
