import { EvaluationError, type ParseError, type TypeError as CelTypeError } from "@marcbachmann/cel-js";
import type { AttributeValue } from "../../connectors/contract.ts";
import { AppError } from "../errors.ts";
import { environments, type Subject } from "./environment.ts";
import { loopsWithin, MOST_LOOPS, MOST_ROUNDS, roundsWithin } from "./loops.ts";
import { refusedPattern, strangePattern } from "./patterns.ts";

export type ExpectedType = "bool" | "string" | "list" | "any";

export interface ExpressionOptions {
  source: string;
  subject: Subject;
  expects: ExpectedType;
  /** Where the expression stands, as its author knows it: `mapping.user.attributes.title`. */
  field: string;
  /** Somebody is writing it: what it can't mean as it stands is refused, too. What was saved before is taken as it always was. */
  isNew?: boolean;
}

/**
 * Evaluates to plain data, or to undefined when the expression asks for an attribute that the account lacks:
 * what the source does not hold is absent, not wrong. Any other failure throws AppError `invalid`.
 */
export type Expression = (value: unknown) => AttributeValue | undefined;

const ACCEPTED: Readonly<Record<ExpectedType, (type: string) => boolean>> = {
  any: () => true,
  bool: (type) => type === "bool" || type === "dyn",
  string: (type) => ["string", "dyn", "int", "double", "null"].includes(type),
  list: (type) => type.startsWith("list") || type === "dyn" || type === "string",
};

/** Parses and type-checks; throws `invalid` with field, position and the expected type. */
export function compileExpression({ source, subject, expects, field, isNew = false }: ExpressionOptions): Expression {
  const environment = environments[subject];
  const checked = environment.check(source);
  if (!checked.valid) throw invalid({ field, source, error: checked.error, expects });
  const type = checked.type ?? "dyn";
  if (!ACCEPTED[expects](type)) {
    throw new AppError("invalid", `${field}: at position 1: expected ${expects}, but \`${source}\` is ${type}.`, { field });
  }
  const plain = plainAttribute(source, subject);
  if (plain !== undefined) return (value) => plainData((value as Record<string, unknown>)[plain]);
  const program = environment.parse(source);
  const refused = refusedLoops(program.ast) ?? (isNew ? strangePattern(program.ast) : undefined) ?? refusedPattern(program.ast);
  if (refused !== undefined) throw new AppError("invalid", `${field}: ${refused}. In: ${source}`, { field });
  return (value) => {
    try {
      return plainData(program({ [subject]: value }));
    } catch (error) {
      if (error instanceof EvaluationError && /^No such key/.test(error.message)) return undefined;
      throw new AppError("invalid", `${field}: ${error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error)}`, {
        field,
        cause: error,
      });
    }
  };
}

/**
 * As compileExpression, of what was saved, perhaps by a version of this server that took more: what does not compile any more fails on
 * every value instead, so that it stops nothing but what asks it.
 */
export function compileStored(options: ExpressionOptions): Expression {
  try {
    return compileExpression(options);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "invalid") throw error;
    return () => {
      throw error;
    };
  }
}

function refusedLoops(ast: unknown): string | undefined {
  if (loopsWithin(ast) > MOST_LOOPS) return `has more than ${MOST_LOOPS} loops in each other`;
  if (roundsWithin(ast) > MOST_ROUNDS) return `goes through its lists more than ${MOST_ROUNDS} times; make them shorter`;
  return undefined;
}

function invalid({
  field,
  source,
  error,
  expects,
}: {
  field: string;
  source: string;
  error: ParseError | CelTypeError | undefined;
  expects: ExpectedType;
}): AppError {
  const position = (error?.node?.pos ?? error?.range?.start ?? 0) + 1;
  const what = error?.message.split("\n")[0] ?? "is not an expression";
  return new AppError(
    "invalid",
    `${field}: at position ${position}: ${what}; expected ${expects === "any" ? "a value" : expects}. In: ${source}`,
    { field },
  );
}

/** `account.mail` needs no interpreter: most mappings are just this. */
function plainAttribute(source: string, subject: Subject): string | undefined {
  return new RegExp(`^\\s*${subject}\\.([A-Za-z_][A-Za-z0-9_]*)\\s*$`).exec(source)?.[1];
}

/** CEL's integers are bigint; the directory holds plain JSON. */
function plainData(value: unknown): AttributeValue | undefined {
  if (value === undefined || value === null || typeof value === "string" || typeof value === "boolean" || typeof value === "number")
    return value;
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(plainData).filter((item) => item !== undefined) as unknown as AttributeValue;
  if (value instanceof Map) return plainData(Object.fromEntries(value));
  if (typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainData(item)]));
  return undefined;
}
