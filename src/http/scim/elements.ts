import { isJsonObject, sameJson, type JsonObject, type JsonValue } from "./json.ts";
import type { SchemaAttribute } from "./schema.ts";

/** An element that says only what kind of value it would be, and none, is no value. */
export function hasContent(element: JsonObject, attribute: SchemaAttribute): boolean {
  const names = Object.keys(element);
  return attribute.multiValued ? names.some((name) => name !== "type" && name !== "primary") : names.length > 0;
}

/** Whether two elements are one value: the same `value` and type; without a value, the same in everything but `primary`. */
export function sameElement(left: JsonValue, right: JsonValue): boolean {
  if (!isJsonObject(left) || !isJsonObject(right)) return sameJson(left, right);
  if (left["value"] !== undefined || right["value"] !== undefined)
    return sameJson(left["value"], right["value"]) && sameJson(left["type"], right["type"]);
  const { primary: _left, ...leftRest } = left;
  const { primary: _right, ...rightRest } = right;
  return sameJson(leftRest, rightRest);
}

/** What tells elements with a value apart, cheaply; others are compared with one another. */
function elementKey(element: JsonValue): string | undefined {
  if (!isJsonObject(element)) return JSON.stringify(element);
  return element["value"] === undefined ? undefined : JSON.stringify([element["value"], element["type"] ?? null]);
}

/** A list with its duplicates folded (the later one's details win) and at most one primary (the first). */
export function foldElements(attribute: SchemaAttribute, elements: readonly JsonValue[]): JsonValue[] {
  const folded: JsonValue[] = [];
  const positions = new Map<string, number>();
  for (const element of elements) {
    const key = elementKey(element);
    const at = key === undefined ? folded.findIndex((other) => sameElement(other, element)) : (positions.get(key) ?? -1);
    const twin = folded[at];
    if (twin === undefined) {
      if (key !== undefined) positions.set(key, folded.length);
      folded.push(element);
    } else if (isJsonObject(twin) && isJsonObject(element)) {
      folded[at] = { ...twin, ...element, ...(twin["primary"] === true ? { primary: true } : {}) };
    }
  }
  return attribute.subAttributes.has("primary") ? onePrimary(folded, folded.findIndex(isPrimary)) : folded;
}

/** Keeps the primary at `chosen` and takes it from all others. */
export function onePrimary(elements: readonly JsonValue[], chosen: number): JsonValue[] {
  return elements.map((element, at) =>
    at !== chosen && isPrimary(element) && isJsonObject(element) ? { ...element, primary: false } : element,
  );
}

export function isPrimary(element: JsonValue | undefined): boolean {
  return isJsonObject(element) && element["primary"] === true;
}
