import { AppError } from "../errors.ts";
import type { Expression } from "../expressions/compile.ts";
import { compileCondition } from "./rule-input.ts";

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
