import { AppError } from "../../errors.ts";
import { canonicalText, isJsonObject, type JsonObject, type JsonValue } from "./json.ts";
import type { SchemaAttribute } from "./schema.ts";

/** An element that says only what kind of value it would be, and none, is no value. */
export function hasContent(element: JsonObject, attribute: SchemaAttribute): boolean {
  const names = Object.keys(element);
  return attribute.multiValued ? names.some((name) => name !== "type" && name !== "primary") : names.length > 0;
}

/**
 * An element of a list of references that says something, and not who it is: taken for nobody, it would empty the list that it
 * is to replace. One that says nothing, or only of which type nobody is, is no value. Throws `invalid`.
 */
export function refuseNameless(element: JsonObject, list: string): void {
  const said = Object.entries(element).filter(([name, value]) => name.toLowerCase() !== "type" && value !== null && value !== "");
  if (said.length === 0) return;
  throw new AppError("invalid", `${list}: ${JSON.stringify(element).slice(0, LONGEST_SHOWN)} names nobody: its \`value\` is to be an id.`, {
    field: `${list}.value`,
    scimType: "invalidValue",
  });
}

const LONGEST_SHOWN = 60;

/**
 * What tells elements apart: their `value` and type; without a value, everything but `primary`. Two with the same key are one
 * value. Lists may be long: elements are never compared with one another.
 */
export function elementKey(element: JsonValue): string {
  if (!isJsonObject(element)) return canonicalText(element);
  if (element["value"] !== undefined) return JSON.stringify([element["value"], element["type"] ?? null]);
  const { primary: _primary, ...rest } = element;
  return canonicalText(rest);
}

/** A list with its duplicates folded (the later one's details win) and at most one primary (the first). */
export function foldElements(attribute: SchemaAttribute, elements: readonly JsonValue[]): JsonValue[] {
  const folded: JsonValue[] = [];
  const positions = new Map<string, number>();
  for (const element of elements) {
    const key = elementKey(element);
    const at = positions.get(key) ?? folded.length;
    const twin = folded[at];
    if (twin === undefined) {
      positions.set(key, at);
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
