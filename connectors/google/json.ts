import type { AttributeObject, AttributeValue } from "../contract.ts";

const MAX_DEPTH = 6;

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The objects of a list; nothing of what is no list. */
export function objectsIn(value: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.flatMap((each) => textOf(each) ?? []) : [];
}

/** JSON as attributes; what lies deeper than any custom attribute is left out. */
export function attributesOf(value: Readonly<Record<string, unknown>>, depth = 0): AttributeObject {
  const attributes: Record<string, AttributeValue> = {};
  for (const name of Object.keys(value).sort()) {
    const attribute = attributeOf(value[name], depth + 1);
    if (attribute !== undefined) attributes[name] = attribute;
  }
  return attributes;
}

function attributeOf(value: unknown, depth: number): AttributeValue | undefined {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean" || value === null) return value;
  if (depth > MAX_DEPTH) return undefined;
  if (Array.isArray(value)) {
    const texts = textsIn(value);
    return texts.length === value.length ? texts : objectsIn(value).map((each) => attributesOf(each, depth + 1));
  }
  return isObject(value) ? attributesOf(value, depth + 1) : undefined;
}
