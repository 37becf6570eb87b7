import { isStorable } from "../../../connectors/kit/storable-text.ts";
import { AppError } from "../../errors.ts";
import { foldElements, hasContent, refuseNameless } from "./elements.ts";
import { instant, xsdDateTime } from "./filter/literals.ts";
import { coercedName, refuseTooLong } from "./found-by.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts";
import { findAttribute, isUrnOf, type AttributeMap, type ResourceSchema, type SchemaAttribute } from "./schema.ts";

/**
 * A client's resource in the schema's own form: names as the schema writes them, values of the attribute's type,
 * nothing that is unknown, unassigned, read-only or never returned. What IdPs are known to send differently is
 * understood (null, "True", one object for a list, a list of one for a single value, two primaries).
 * Throws `invalid` (invalidSyntax, invalidValue) naming the attribute.
 */
export function coerceResource(schema: ResourceSchema, body: JsonObject): JsonObject {
  refuseOtherSchemas(schema, body["schemas"]);
  const resource: JsonObject = {};
  for (const [name, value] of Object.entries(body)) {
    if (isUrnOf(schema, name) && isJsonObject(value)) assignAll(resource, { schema, prefix: `${schema.urn}:`, values: value });
    else assign(resource, { schema, name, value });
  }
  requireAttributes(schema, resource);
  requireExtensions(schema, resource);
  return resource;
}

/** A whole resource has what the organisation requires of its own attributes (RFC 7643 section 6, schemaExtensions). */
function requireExtensions(schema: ResourceSchema, resource: JsonObject): void {
  for (const { urn, required, attributes } of schema.extensions) {
    const holder = resource[urn];
    if (!required && !isJsonObject(holder)) continue;
    for (const attribute of attributes.values()) {
      if (!attribute.required || (isJsonObject(holder) && holder[attribute.name] !== undefined)) continue;
      const path = `${urn}:${attribute.name}`;
      throw new AppError("invalid", `${path} is required: a ${schema.type} without it can't be kept.`, {
        field: path,
        scimType: "invalidValue",
      });
    }
  }
}

/** Whether the main schema is named where schemas are named at all; further ones of other makers do no harm. */
function refuseOtherSchemas(schema: ResourceSchema, schemas: JsonValue | undefined): void {
  if (schemas === undefined || schemas === null) return;
  const named = (Array.isArray(schemas) ? schemas : [schemas]).map((urn) => String(urn).toLowerCase());
  if (named.includes(schema.urn.toLowerCase())) return;
  throw new AppError("invalid", `schemas: must contain ${schema.urn}.`, { field: "schemas", scimType: "invalidSyntax" });
}

function assignAll(resource: JsonObject, { schema, prefix, values }: { schema: ResourceSchema; prefix: string; values: JsonObject }): void {
  for (const [name, value] of Object.entries(values)) assign(resource, { schema, name: `${prefix}${name}`, value });
}

function assign(resource: JsonObject, { schema, name, value }: { schema: ResourceSchema; name: string; value: JsonValue }): void {
  const named = findAttribute(schema, name);
  if (!named) return;
  if (!named.attribute) {
    if (isJsonObject(value)) assignAll(resource, { schema, prefix: `${named.extension}:`, values: value });
    else if (!isUnassigned(value)) throw notAnObject(named.extension);
    return;
  }
  const { extension, attribute, sub } = named;
  if (!isStored(attribute)) return;
  const held = coerceValue(attribute, sub && isJsonObject(value) === false ? { [sub.name]: value } : value, attribute.name);
  if (held === undefined) return;
  const holder = extension ? extensionOf(resource, extension) : resource;
  // `name` beside `name.givenName`, whichever comes first: neither takes away what the other says.
  const before = holder[attribute.name];
  holder[attribute.name] = isJsonObject(before) && isJsonObject(held) ? { ...before, ...held } : held;
}

/** What a client may give us to keep: not what we compute, nor a password, which has no place in a profile. */
export function isStored(attribute: SchemaAttribute): boolean {
  return attribute.mutability !== "readOnly" && attribute.returned !== "never" && attribute.name !== "schemas";
}

export function extensionOf(resource: JsonObject, urn: string): JsonObject {
  const held = resource[urn];
  if (isJsonObject(held)) return held;
  const made: JsonObject = {};
  resource[urn] = made;
  return made;
}

/** Throws `invalid` when an attribute without which the resource is none is missing. */
export function requireAttributes(schema: ResourceSchema, resource: JsonObject): void {
  const missing = [...schema.attributes.values()].find(
    (attribute) => attribute.required && isStored(attribute) && resource[attribute.name] === undefined,
  );
  if (missing)
    throw new AppError("invalid", `${missing.name} is required: a ${schema.type} without it can't be kept.`, {
      field: missing.name,
      scimType: "invalidValue",
    });
}

/** A value in its attribute's type; undefined when it means "unassigned" (RFC 7643 section 2.5; an empty text is taken for the same). Throws `invalid`. */
export function coerceValue(attribute: SchemaAttribute, value: JsonValue, path: string): JsonValue | undefined {
  if (value === null || value === undefined) return undefined;
  if (!attribute.multiValued) return coerceSingle(attribute, unwrapped(value, path), path);
  const elements = (Array.isArray(value) ? value : [value]).flatMap((element) => coerceSingle(attribute, element, path) ?? []);
  const folded = foldElements(attribute, elements);
  return folded.length ? folded : undefined;
}

/** `[false]` and `[{"value": "x"}]` for a single value. */
function unwrapped(value: JsonValue, path: string): JsonValue {
  if (!Array.isArray(value)) return value;
  const [first, second] = value;
  if (second !== undefined) throw wrong(path, "has one value, not a list", value);
  return first ?? null;
}

/** One value, or one element of a list. */
export function coerceSingle(attribute: SchemaAttribute, value: JsonValue, path: string): JsonValue | undefined {
  if (value === null || value === "") return undefined;
  if (attribute.type === "complex") return coerceComplex(attribute, value, path);
  const plain = isJsonObject(value) ? value["value"] : value;
  if (plain === undefined) throw wrong(path, `must be a ${attribute.type}`, value);
  if (plain === null || plain === "") return undefined;
  if (typeof plain === "object") throw wrong(path, `must be a ${attribute.type}`, plain);
  return coercePlain(attribute, plain, path);
}

/** RFC 4648, of either alphabet; with lines as certificates are often wrapped. */
const BASE64 = /^[A-Za-z0-9+/_\s-]*(?:=\s*){0,2}$/;

function coercePlain(attribute: SchemaAttribute, value: string | number | boolean, path: string): JsonValue {
  switch (attribute.type) {
    case "boolean": {
      const text = String(value).toLowerCase();
      if (text !== "true" && text !== "false") throw wrong(path, "must be true or false", value);
      return text === "true";
    }
    case "integer":
    case "decimal": {
      const number = typeof value === "boolean" ? Number.NaN : Number(value);
      if (!Number.isFinite(number) || (attribute.type === "integer" && !Number.isInteger(number)))
        throw wrong(path, "must be a number", value);
      if (attribute.type === "integer" && isRounded(number))
        throw wrong(path, `must be between ${Number.MIN_SAFE_INTEGER} and ${Number.MAX_SAFE_INTEGER}`);
      return number;
    }
    case "dateTime":
      if (instant(String(value)) === undefined) throw wrong(path, "must be a date and time such as 2011-05-13T04:42:34Z", value);
      return xsdDateTime(String(value));
    case "binary":
      if (typeof value !== "string" || !BASE64.test(value)) throw wrong(path, "must be base64", value);
      return value;
    default:
      if (typeof value === "boolean") throw wrong(path, "must be a text", value);
      if (isRounded(value)) throw wrong(path, "is a number too long to be read as it was sent: send it as a text");
      return attribute.choices ? chosen(attribute.choices, String(value), path) : storable(String(value), path);
  }
}

/**
 * A whole number beyond what JSON's readers keep every digit of (RFC 8259 section 6): what was sent is not known any more, and
 * one employee number must not be taken for another.
 */
export function isRounded(value: unknown): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value);
}

/** The organisation's own way of writing a choice, whatever the client's case. */
function chosen(choices: readonly string[], text: string, path: string): string {
  const choice = choices.find((one) => one.toLowerCase() === text.trim().toLowerCase());
  if (choice !== undefined) return choice;
  throw wrong(path, `must be one of ${choices.slice(0, 20).join(", ")}${choices.length > 20 ? ", …" : ""}`);
}

function coerceComplex(attribute: SchemaAttribute, value: JsonValue, path: string): JsonValue | undefined {
  const source = isJsonObject(value) ? value : attribute.subAttributes.has("value") ? { value } : undefined;
  if (!source) throw wrong(path, "must be an object", value);
  const held = coerceSubAttributes(attribute.subAttributes, source, path);
  if (held["value"] === undefined && isReferences(attribute)) refuseNameless(source, path);
  return hasContent(held, attribute) ? held : undefined;
}

/** A group's members. */
function isReferences({ multiValued, subAttributes }: SchemaAttribute): boolean {
  return multiValued && subAttributes.has("value") && subAttributes.has("$ref");
}

function coerceSubAttributes(subAttributes: AttributeMap, source: JsonObject, path: string): JsonObject {
  const held: JsonObject = {};
  for (const [name, inner] of Object.entries(source)) {
    const sub = subAttributes.get(name.toLowerCase());
    if (!sub || sub.mutability === "readOnly") continue;
    const coerced = coerceValue(sub, inner, `${path}.${sub.name}`);
    if (coerced !== undefined) held[sub.name] = coerced;
  }
  return held;
}

function storable(text: string, path: string): string {
  if (!isStorable(text)) throw wrong(path, "has a character that can't be kept (U+0000 or half of a surrogate pair)");
  refuseTooLong(text, path);
  return path === "userName" ? coercedName(text) : text;
}

/** What says that there is no value (RFC 7643 section 2.5); an empty list is also how some serialisers write an object without members. */
export function isUnassigned(value: JsonValue | undefined): boolean {
  return value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

export function notAnObject(path: string): AppError {
  return wrong(path, "must be an object");
}

const LONGEST_SHOWN = 60;

/** Names the attribute and what was sent, cut short: a refused value must not be thrown back whole. */
function wrong(path: string, what: string, value?: JsonValue): AppError {
  const shown = value === undefined ? "" : `${JSON.stringify(value).slice(0, LONGEST_SHOWN)} `;
  return new AppError("invalid", `${path}: ${shown}${what}.`, { field: path, scimType: "invalidValue" });
}
