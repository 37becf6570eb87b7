import { AppError } from "../../errors.ts";
import { checkStructure } from "./structure.ts";

export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;
export interface JsonObject {
  [name: string]: JsonValue;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A request's body as an object: no deeper than any SCIM resource goes, and without names that mean something to JavaScript. Throws `invalid`. */
export function checkedBody(body: unknown): JsonObject {
  if (!isJsonObject(body)) throw new AppError("invalid", "The request's body must be a JSON object.", { scimType: "invalidSyntax" });
  checkStructure(body);
  return body;
}

/** Same content, whatever the order of names. Ends at the first difference, which most changes have early. */
export function sameJson(left: JsonValue | undefined, right: JsonValue | undefined): boolean {
  if (left === right) return true;
  if (Array.isArray(left))
    return Array.isArray(right) && left.length === right.length && left.every((value, at) => sameJson(value, right[at]));
  if (!isJsonObject(left) || !isJsonObject(right)) return false;
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length && names.every((name) => Object.hasOwn(right, name) && sameJson(left[name], right[name]))
  );
}

/** JSON text with names in one order; empty for what is not there. */
export function canonicalText(value: JsonValue | undefined): string {
  if (value === undefined) return "";
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonicalText(value[name])}`).join(",")}}`;
}
