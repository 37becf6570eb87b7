import { lowerLetters } from "../../../directory/letter-case.ts";
import { AppError } from "../../../errors.ts";
import { coerceSingle, coerceValue } from "../coerce.ts";
import { elementKey, foldElements, hasContent, isPrimary, onePrimary } from "../elements.ts";
import type { Filter } from "../filter/ast.ts";
import { satisfies } from "../filter/evaluate.ts";
import { canonicalText, isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import type { SchemaAttribute } from "../schema.ts";
import type { Operation } from "./operations.ts";
import type { PatchPath } from "./path.ts";

interface ListChange {
  op: Operation["op"];
  path: PatchPath & { attribute: SchemaAttribute };
  value: JsonValue | undefined;
  /** See PatchOptions. */
  createsAbsent: boolean;
}

/** One operation on a multi-valued attribute: the list afterwards, duplicates folded, at most one primary. */
export function patchList(before: readonly JsonValue[], change: ListChange): JsonValue[] {
  const { attribute, filter, sub } = change.path;
  if (filter || sub) return patchChosen(before, change);
  if (change.op === "remove") return removed(before, change);
  const given = change.value === undefined ? undefined : coerceValue(attribute, change.value, attribute.name);
  const added = Array.isArray(given) ? given : [];
  if (change.op === "replace") return added;
  // The newly added primary wins (RFC 7644 section 3.5.2).
  const kept = added.some(isPrimary) ? onePrimary(before, -1) : before;
  return foldElements(attribute, [...kept, ...added]);
}

/**
 * Without a value everything goes (null is how some clients write "no value"); with one, the elements that it names. An empty list
 * names none: RFC 7644 section 3.5.2.2 knows no value, and what somebody worked out to be removed is sometimes nothing.
 */
function removed(before: readonly JsonValue[], { path: { attribute }, value }: ListChange): JsonValue[] {
  if (value === undefined) return [];
  const named = Array.isArray(value) ? value : [value];
  const goes = named.flatMap((element) => coerceSingle(attribute, element, attribute.name) ?? []);
  const [whole, values] = [new Set<string>(), new Set<string>()];
  for (const one of goes.map((element) => compared(attribute, element))) {
    // A value without a type is meant whatever its type.
    if (isJsonObject(one) && one["value"] !== undefined && one["type"] === undefined) values.add(canonicalText(one["value"]));
    else whole.add(elementKey(one));
  }
  const isMeant = (element: JsonValue) =>
    whole.has(elementKey(element)) || (isJsonObject(element) && values.has(canonicalText(element["value"])));
  return before.filter((element) => !isMeant(compared(attribute, element)));
}

/** An element as it is compared with others (RFC 7643 section 2.2): in small letters where their case means nothing. */
function compared(attribute: SchemaAttribute, element: JsonValue): JsonValue {
  const plain = ({ caseExact }: SchemaAttribute, held: JsonValue) => (typeof held === "string" && !caseExact ? lowerLetters(held) : held);
  if (!isJsonObject(element)) return plain(attribute, element);
  return Object.fromEntries(
    Object.entries(element).map(([name, held]) => [name, plain(attribute.subAttributes.get(name.toLowerCase()) ?? attribute, held)]),
  );
}

/** Elements chosen by a filter, or all of them when the path names a sub-attribute only. */
function patchChosen(before: readonly JsonValue[], { op, path, value, createsAbsent }: ListChange): JsonValue[] {
  const { attribute, filter, sub } = path;
  const isChosen = (element: JsonValue) => isJsonObject(element) && (!filter || satisfies(filter, element));
  const given =
    op === "remove" || value === undefined
      ? undefined
      : sub
        ? coerceValue(sub, value, `${attribute.name}.${sub.name}`)
        : coerceSingle(attribute, only(attribute, value), attribute.name);
  if (given === undefined) return foldElements(attribute, cleared(before, { attribute, sub, isChosen }));
  const equal = filter ? equalities(filter) : {};
  const changed = sub ? { [sub.name]: given } : isJsonObject(given) ? given : {};
  const whole = op === "replace" && !sub && isJsonObject(only(attribute, value ?? null));
  if (!before.some(isChosen)) {
    if (!equal || !createsAbsent) throw noTarget(attribute, { isDescribed: equal !== undefined });
    return settled(attribute, { elements: [...before, { ...equal, ...changed }], touched: before.length });
  }
  const elements = before.map((element) =>
    isChosen(element) && isJsonObject(element) ? (whole ? { ...equal, ...changed } : { ...element, ...changed }) : element,
  );
  return settled(attribute, { elements, touched: before.findIndex(isChosen) });
}

function noTarget(attribute: SchemaAttribute, { isDescribed }: { isDescribed: boolean }): AppError {
  const why = isDescribed ? "and this client's profile makes none" : "and it does not say what a new one would be";
  return new AppError("invalid", `${attribute.name}: no value matches the path's filter, ${why}.`, {
    field: attribute.name,
    scimType: "noTarget",
  });
}

function cleared(
  before: readonly JsonValue[],
  { attribute, sub, isChosen }: { attribute: SchemaAttribute; sub: SchemaAttribute | undefined; isChosen: (element: JsonValue) => boolean },
): JsonValue[] {
  if (!sub) return before.filter((element) => !isChosen(element));
  return before.flatMap((element) => {
    if (!isChosen(element) || !isJsonObject(element)) return [element];
    const { [sub.name]: _gone, ...rest } = element;
    return hasContent(rest, attribute) ? [rest] : [];
  });
}

/** When the touched element is the primary one now, no other is. One that says only what kind it would be goes. */
function settled(attribute: SchemaAttribute, { elements, touched }: { elements: readonly JsonValue[]; touched: number }): JsonValue[] {
  const chosen = isPrimary(elements[touched]) ? onePrimary(elements, touched) : elements;
  return foldElements(
    attribute,
    chosen.filter((element) => !isJsonObject(element) || hasContent(element, attribute)),
  );
}

/** What a filter says an element is, when it says nothing else: `type eq "work" and primary eq true`. */
function equalities(filter: Filter): JsonObject | undefined {
  if (filter.kind === "compare" && filter.operator === "eq" && filter.value !== null)
    return { [filter.target.attribute.name]: filter.value };
  if (filter.kind !== "and") return undefined;
  const parts = filter.filters.map(equalities);
  return parts.reduce((all, part) => (all && part ? { ...all, ...part } : undefined), {});
}

/** What the chosen elements are to be; of several one would be kept and the others lost. Throws `invalid`. */
function only({ name }: SchemaAttribute, value: JsonValue): JsonValue {
  if (!Array.isArray(value)) return value;
  const [first = null, second] = value;
  if (second === undefined) return first;
  throw new AppError("invalid", `${name}: a path that chooses elements takes one value, not ${value.length}.`, {
    field: name,
    scimType: "invalidValue",
  });
}
