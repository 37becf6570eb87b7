import { lowerLetters } from "../../../directory/letter-case.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import type { Target } from "../schema.ts";
import { isAssumedFalse, leafOf, type Comparison, type Filter, type FilterValue } from "./ast.ts";
import { instant } from "./literals.ts";

/** Whether a resource, or one element of a list, satisfies a filter. The same meaning as the SQL of it. */
export function satisfies(filter: Filter, subject: JsonObject): boolean {
  switch (filter.kind) {
    case "and":
      return filter.filters.every((part) => satisfies(part, subject));
    case "or":
      return filter.filters.some((part) => satisfies(part, subject));
    case "not":
      return !satisfies(filter.filter, subject);
    case "present":
      return valuesAt(filter.target, subject).length > 0;
    case "some":
      return elementsAt(filter.target, subject).some((element) => isJsonObject(element) && satisfies(filter.filter, element));
    case "compare":
      return compares(filter, filter.value === null ? valuesAt(filter.target, subject) : comparedAt(filter.target, subject));
  }
}

/** Nothing there counts as not equal; of several values one is enough. */
function compares(
  { target, operator, value }: { target: Target; operator: Comparison; value: FilterValue },
  values: readonly JsonValue[],
): boolean {
  if (value === null) return operator === "eq" ? values.length === 0 : values.length > 0;
  const test = (held: JsonValue) => holds({ target, operator, value, held });
  if (operator === "ne") return values.length === 0 || values.some((held) => !holds({ target, operator: "eq", value, held }));
  return values.some(test);
}

function holds({
  target,
  operator,
  value,
  held,
}: {
  target: Target;
  operator: Comparison;
  value: string | number | boolean;
  held: JsonValue;
}): boolean {
  const leaf = leafOf(target);
  const [left, right] = comparable(leaf.type, { held, value, caseExact: leaf.caseExact });
  if (left === undefined) return false;
  switch (operator) {
    case "eq":
      return left === right;
    case "ne":
      return left !== right;
    case "gt":
      return left > right;
    case "ge":
      return left >= right;
    case "lt":
      return left < right;
    case "le":
      return left <= right;
    case "co":
      return String(left).includes(String(right));
    case "sw":
      return String(left).startsWith(String(right));
    case "ew":
      return String(left).endsWith(String(right));
  }
}

function comparable(
  type: string,
  { held, value, caseExact }: { held: JsonValue; value: string | number | boolean; caseExact: boolean },
): [string | number | boolean | undefined, string | number | boolean] {
  if (type === "boolean") return [String(held).toLowerCase() === "true", value];
  if (type === "integer" || type === "decimal") return [typeof held === "number" ? held : undefined, value];
  if (type === "dateTime") return [instant(String(held)), value];
  if (typeof held !== "string") return [undefined, value];
  return caseExact ? [held, String(value)] : [lowerLetters(held), lowerLetters(String(value))];
}

/** The elements of an attribute; a single value is a list of one. */
export function elementsAt({ extension, attribute }: Target, subject: JsonObject): readonly JsonValue[] {
  const holder = extension ? subject[extension] : subject;
  const value = isJsonObject(holder) ? holder[attribute.name] : undefined;
  return value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];
}

function valuesAt(target: Target, subject: JsonObject): readonly JsonValue[] {
  const { sub } = target;
  const elements = elementsAt(target, subject);
  if (!sub) return elements.filter(isPresent);
  return elements.flatMap((element) => (isJsonObject(element) ? (element[sub.name] ?? []) : [])).filter(isPresent);
}

/** The values that a comparison is about: with those that are assumed where nothing is said. */
function comparedAt(target: Target, subject: JsonObject): readonly JsonValue[] {
  if (!isAssumedFalse(target)) return valuesAt(target, subject);
  if (!target.sub) return [subject[target.attribute.name] ?? false];
  return elementsAt(target, subject).flatMap((element) => (isJsonObject(element) ? [element[target.sub?.name ?? ""] ?? false] : []));
}

/** Null, empty text, an empty list and an empty object are all "unassigned" (RFC 7643 section 2.5). */
function isPresent(value: JsonValue): boolean {
  if (value === null || value === "") return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}
