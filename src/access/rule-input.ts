import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { AppError, messageOf } from "../errors.ts";
import { compileExpression, type Expression } from "../expressions/compile.ts";

const instant = z.union(
  [z.date(), z.iso.datetime({ offset: true }).transform((text) => new Date(text))],
  "must be an instant such as 2026-12-31T18:00:00Z",
);

/** A rule as an administrator writes it: who is in a group, or fulfils a condition, gets a role on a unit. */
export const ruleSchema = z
  .strictObject({
    name: z.string().min(1).max(200),
    /** Display name of a group; it may arrive later. */
    group: z.string().min(1).optional(),
    /** Only groups that this connection masters. */
    connection: z.string().optional(),
    /** CEL over `person`, boolean. */
    condition: z.string().min(1).max(4000).optional(),
    /** The role's key. */
    role: z.string().min(1),
    /** The unit's code; it may arrive later. */
    unit: z.string().min(1),
    startsAt: instant.optional(),
    /** At this instant there is no access any more. */
    expiresAt: instant.optional(),
    /** Counted from the beginning of the membership, or of the match. */
    expiresAfterSeconds: z
      .number()
      .int()
      .min(1)
      .max(2 ** 31 - 1)
      .optional(),
    enabled: z.boolean().default(true),
  })
  .refine((rule) => (rule.group === undefined) !== (rule.condition === undefined), {
    path: ["group"],
    message: "a rule has either a group or a condition",
  })
  .refine((rule) => rule.connection === undefined || rule.group !== undefined, { path: ["connection"], message: "goes with a group" })
  .refine((rule) => !rule.startsAt || !rule.expiresAt || rule.startsAt < rule.expiresAt, {
    path: ["expiresAt"],
    message: "must be after startsAt",
  });

export type RuleInput = z.input<typeof ruleSchema>;
export type RuleDefinition = z.output<typeof ruleSchema>;

const fileSchema = z.strictObject({ rules: z.array(z.unknown()).min(1) });

/** A rule's condition as it is saved; null or absent where it has none, or there is no such rule. */
type Saved = string | null | undefined;

/**
 * One rule, checked whole. Throws `invalid` with every problem; a condition's with position and expected type.
 * @param field what the input calls the rule; empty where it is the input itself
 * @param saved the rule's condition until now: a rule is switched off with it whether or not it compiles
 */
export function parseRule(input: unknown, { field = "rule", saved }: { field?: string; saved?: Saved } = {}): RuleDefinition {
  const within = (path: readonly PropertyKey[]) => [...(field === "" ? [] : [field]), ...path.map(String)].join(".");
  const result = ruleSchema.safeParse(input);
  if (!result.success) {
    const problems = result.error.issues.map((issue) => ({ field: within(issue.path), message: issue.message }));
    throw new AppError(
      "invalid",
      ["The rule can't be saved.", ...problems.map((problem) => `  ${problem.field}: ${problem.message}`)].join("\n"),
      { field: problems[0]?.field, problems },
    );
  }
  const { condition, enabled } = result.data;
  if (condition !== undefined && (enabled || condition !== saved)) compileCondition(condition, within(["condition"]), { isNew: true });
  return result.data;
}

/**
 * A file of rules (`rules:` and a list), checked whole before anything is saved.
 * @param saved the conditions of rules until now, by name
 */
export function parseRulesFile(yaml: string, saved: ReadonlyMap<string, string>): RuleDefinition[] {
  let content: unknown;
  try {
    content = parseYaml(yaml);
  } catch (error) {
    throw new AppError("invalid", `The file of rules is not YAML: ${messageOf(error).split("\n")[0]?.replace(/:$/, ".")}`, {
      cause: error,
    });
  }
  const file = fileSchema.safeParse(content);
  if (!file.success) throw new AppError("invalid", "A file of rules holds `rules:` and a list of them, nothing else.", { field: "rules" });
  const rules = file.data.rules.map((rule, index) => parseRule(rule, { field: `rules.${index}`, saved: saved.get(nameOf(rule)) }));
  const twice = rules.find((rule, index) => rules.findIndex((other) => other.name === rule.name) !== index);
  if (twice) throw new AppError("invalid", `Two rules of the file are named ${twice.name}.`, { field: "rules" });
  return rules;
}

/** What an unchecked rule is called; empty where it says nothing of the kind. */
export function nameOf(input: unknown): string {
  return typeof input === "object" && input !== null && "name" in input && typeof input.name === "string" ? input.name : "";
}

export function compileCondition(source: string, field: string, { isNew = false } = {}): Expression {
  return compileExpression({ source, subject: "person", expects: "bool", field, isNew });
}
