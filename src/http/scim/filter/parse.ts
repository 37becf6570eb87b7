import { AppError } from "../../../errors.ts";
import { findAttribute, type ResourceSchema, type SchemaAttribute, type Target } from "../schema.ts";
import type { Comparison, Filter } from "./ast.ts";
import { comparisonValue, OPERATORS } from "./literals.ts";
import { tokens, type Token } from "./tokens.ts";

const DEEPEST = 32;
const MOST_CONDITIONS = 200;

/** Finds what a name means where it stands: at the top, or inside an element's brackets. */
export type Scope = (name: string) => Target | undefined;

/** Reads from the tokens, left to right. */
export interface Reader {
  peek(): Token | undefined;
  take(): Token | undefined;
  /** The condition's number, so that a filter can't grow without end. */
  count(): void;
  failure(message: string, token?: Token): AppError;
}

export function readerOf(text: string, scimType: "invalidFilter" | "invalidPath"): Reader {
  const all = tokens(text, scimType);
  let next = 0;
  let conditions = 0;
  const failure = (message: string, token?: Token) =>
    new AppError("invalid", `${token ? `At position ${token.at}` : "At the end"}: ${message}.`, {
      field: scimType === "invalidPath" ? "path" : "filter",
      scimType,
    });
  return {
    peek: () => all[next],
    take: () => all[next++],
    count() {
      conditions += 1;
      if (conditions > MOST_CONDITIONS)
        throw new AppError("invalid", `A filter may have at most ${MOST_CONDITIONS} conditions.`, { field: "filter", scimType: "tooMany" });
    },
    failure,
  };
}

/** The names of a resource, for filters over whole resources. */
export function resourceScope(schema: ResourceSchema): Scope {
  return (name) => {
    const named = findAttribute(schema, name);
    return named?.attribute ? named : undefined;
  };
}

/** The names inside `attribute[…]`. */
export function elementScope(attribute: SchemaAttribute): Scope {
  return (name) => {
    const sub = attribute.subAttributes.get(name.toLowerCase());
    return sub && { attribute: sub };
  };
}

/**
 * Parses a filter (RFC 7644 section 3.4.2.2). Throws `invalid` with scimType invalidFilter and the position,
 * or tooMany for more conditions than we are ready to evaluate.
 */
export function parseFilter(schema: ResourceSchema, text: string): Filter {
  return parseFilterIn(resourceScope(schema), text);
}

/** The same with names of a scope. */
export function parseFilterIn(scope: Scope, text: string): Filter {
  const reader = readerOf(text, "invalidFilter");
  const filter = readFilter(reader, { scope, depth: 0 });
  const rest = reader.peek();
  if (rest) throw reader.failure(`\`${rest.text}\` is not expected here`, rest);
  return filter;
}

interface Where {
  scope: Scope;
  depth: number;
}

/** or binds least, then and, then not (table 6). */
export function readFilter(reader: Reader, where: Where): Filter {
  if (where.depth > DEEPEST) throw reader.failure(`a filter may be nested ${DEEPEST} deep`, reader.peek());
  return readList(reader, { word: "or", next: () => readList(reader, { word: "and", next: () => readFactor(reader, where) }) });
}

function readList(reader: Reader, { word, next }: { word: "and" | "or"; next: () => Filter }): Filter {
  const first = next();
  const filters = [first];
  while (isWord(reader.peek(), word)) {
    reader.take();
    filters.push(next());
  }
  return filters.length === 1 ? first : { kind: word, filters };
}

function readFactor(reader: Reader, where: Where): Filter {
  const token = reader.take();
  if (token?.kind === "punctuation" && token.text === "(") return readGroup(reader, where);
  if (isWord(token, "not") && isPunctuation(reader.peek(), "(")) {
    reader.take();
    return { kind: "not", filter: readGroup(reader, where) };
  }
  if (token?.kind !== "word") throw reader.failure("the name of an attribute is expected", token);
  return readCondition(reader, { ...where, name: token });
}

function readGroup(reader: Reader, where: Where): Filter {
  const filter = readFilter(reader, { ...where, depth: where.depth + 1 });
  closed(reader, ")");
  return filter;
}

function readCondition(reader: Reader, { scope, depth, name }: Where & { name: Token }): Filter {
  const target = scope(name.text);
  if (!target) throw reader.failure(`\`${name.text}\` is not an attribute here`, name);
  if (!isPunctuation(reader.peek(), "[")) return readOperation(reader, target);
  const { attribute } = target;
  if (attribute.type !== "complex" || target.sub) throw reader.failure(`\`${name.text}\` has no sub-attributes to filter by`, name);
  const filter = readBrackets(reader, { attribute, depth });
  return { kind: "some", target, filter: readTrailingSub(reader, { attribute, filter }) };
}

/** `[…]` after a complex attribute. */
export function readBrackets(reader: Reader, { attribute, depth }: { attribute: SchemaAttribute; depth: number }): Filter {
  reader.take();
  const filter = readFilter(reader, { scope: elementScope(attribute), depth: depth + 1 });
  closed(reader, "]");
  return filter;
}

/** `emails[type eq "work"].value eq "x"`: not in the grammar, but sent, and clear. */
function readTrailingSub(reader: Reader, { attribute, filter }: { attribute: SchemaAttribute; filter: Filter }): Filter {
  const token = reader.peek();
  if (token?.kind !== "word" || !token.text.startsWith(".")) return filter;
  reader.take();
  const target = elementScope(attribute)(token.text.slice(1));
  if (!target) throw reader.failure(`\`${token.text}\` is not a sub-attribute of ${attribute.name}`, token);
  return { kind: "and", filters: [filter, readOperation(reader, target)] };
}

function readOperation(reader: Reader, target: Target): Filter {
  reader.count();
  const token = reader.take();
  const operator = token?.kind === "word" ? token.text.toLowerCase() : "";
  if (operator === "pr") return { kind: "present", target };
  if (!OPERATORS.has(operator)) throw reader.failure("an operator is expected (eq, ne, co, sw, ew, gt, ge, lt, le, pr)", token);
  const literal = reader.take();
  if (literal?.kind !== "string" && literal?.kind !== "word") throw reader.failure("a value is expected", literal);
  const leaf = withValue(target);
  if (!leaf) throw reader.failure(`${target.attribute.name} is complex: name one of its sub-attributes`, token);
  const result = comparisonValue({ attribute: leaf.sub ?? leaf.attribute, operator: operator as Comparison, literal });
  if ("problem" in result) throw reader.failure(result.problem, literal);
  return withComposedName({ kind: "compare", target: leaf, operator: operator as Comparison, value: result.value });
}

/** A user's name is kept composed (see coercedName), whoever asks for it otherwise; names from elsewhere stand as they came. */
function withComposedName(asked: Extract<Filter, { kind: "compare" }>): Filter {
  const { target, operator, value } = asked;
  if (target.attribute.name !== "userName" || target.extension !== undefined || typeof value !== "string") return asked;
  const composed = value.normalize("NFC");
  if (composed === value) return asked;
  return { kind: operator === "ne" ? "and" : "or", filters: [{ ...asked, value: composed }, asked] };
}

/** `emails eq "x"` speaks of `emails.value` (RFC 7643 section 2.4). */
function withValue(target: Target): Target | undefined {
  if (target.sub || target.attribute.type !== "complex") return target;
  const value = target.attribute.subAttributes.get("value");
  return value && { ...target, sub: value };
}

function closed(reader: Reader, text: ")" | "]"): void {
  const token = reader.take();
  if (!isPunctuation(token, text)) throw reader.failure(`\`${text}\` is expected`, token);
}

function isWord(token: Token | undefined, text: string): boolean {
  return token?.kind === "word" && token.text.toLowerCase() === text;
}

export function isPunctuation(token: Token | undefined, text: string): boolean {
  return token?.kind === "punctuation" && token.text === text;
}
