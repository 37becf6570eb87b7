import type { AttributeObject } from "../contract.ts";

export function isObject(value: unknown): value is AttributeObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
