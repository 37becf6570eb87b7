import { isRounded } from "../coerce.ts";
import { instant, isXsdDateTime, xsdDateTime } from "../filter/literals.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import type { SchemaAttribute } from "../schema.ts";
import { checkStructure } from "../structure.ts";
import type { Bending } from "./bending.ts";

/** Where a value stands: `path` in the schema's own names. */
export interface Place {
  path: string;
  bending: Bending;
  /** In a PATCH one element may stand for a list (RFC 7644 section 3.5.2.1). */
  isPatch?: boolean;
}

/** A value in the form that its attribute has in the RFC, as far as the profile understands what was sent. Throws `invalid`. */
export function bendValue(attribute: SchemaAttribute, value: JsonValue, place: Place): JsonValue {
  if (value === null || attribute.mutability === "readOnly") return value;
  return attribute.multiValued ? bendList(attribute, value, place) : bendSingle(attribute, value, place);
}

function bendList(attribute: SchemaAttribute, value: JsonValue, place: Place): JsonValue {
  const given = attribute.type === "complex" ? parsed(value, place) : value;
  if (!Array.isArray(given)) {
    if (given === "") return emptied(place);
    if (!place.isPatch && !place.bending.allows("one-for-list", { attribute: place.path, value: given })) return given;
    return [bendElement(attribute, given, place)];
  }
  const elements = given.map((element) => bendElement(attribute, element, place));
  return attribute.subAttributes.has("primary") ? onePrimary(elements, place) : elements;
}

function onePrimary(elements: readonly JsonValue[], { path, bending }: Place): JsonValue[] {
  const first = elements.findIndex(isPrimary);
  if (elements.findLastIndex(isPrimary) === first || !bending.allows("several-primaries", { attribute: path })) return [...elements];
  return elements.map((element, at) =>
    at !== first && isJsonObject(element) && isPrimary(element) ? { ...element, primary: false } : element,
  );
}

function isPrimary(element: JsonValue): boolean {
  return isJsonObject(element) && element["primary"] === true;
}

/** One value where one belongs, or one element of a list. */
export function bendElement(attribute: SchemaAttribute, value: JsonValue, place: Place): JsonValue {
  if (value === null) return null;
  if (value === "") return emptied(place);
  return attribute.type === "complex" ? bendComplex(attribute, value, place) : bendPlain(attribute, value, place);
}

function bendSingle(attribute: SchemaAttribute, value: JsonValue, place: Place): JsonValue {
  if (!Array.isArray(value)) return bendElement(attribute, value, place);
  const [first = null, second] = value;
  if (second !== undefined || !place.bending.allows("list-for-one", { attribute: place.path, value })) return value;
  return bendElement(attribute, first, place);
}

function emptied({ path, bending }: Place): JsonValue {
  return bending.allows("empty-text", { attribute: path }) ? null : "";
}

/** A text that is JSON, where an object belongs. */
function parsed(value: JsonValue, { path, bending }: Place): JsonValue {
  const inner = typeof value === "string" ? jsonIn(value) : undefined;
  return inner !== undefined && bending.allows("json-in-text", { attribute: path }) ? inner : value;
}

/** What a text holds when it is a JSON object or list. Throws `invalid` for one that no body may be. */
export function jsonIn(text: string): JsonObject | JsonValue[] | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  let value: JsonObject | JsonValue[];
  try {
    value = JSON.parse(text) as JsonObject | JsonValue[];
  } catch {
    // A text that only begins like JSON is a text.
    return undefined;
  }
  checkStructure(value);
  return value;
}

function bendComplex(attribute: SchemaAttribute, value: JsonValue, place: Place): JsonValue {
  const { subAttributes } = attribute;
  const given = parsed(value, place);
  const only = Array.isArray(given) && given.length === 1 ? (given[0] ?? null) : given;
  if (!isJsonObject(only)) {
    const main = subAttributes.get("value") ?? subAttributes.get("formatted");
    if (Array.isArray(only) || !main || !place.bending.allows("text-for-object", { attribute: place.path, value: only })) return only;
    return { [main.name]: bendElement(main, only, inside(place, main)) };
  }
  return bendSubAttributes(attribute, withItsDisplay(attribute, withItsValue(attribute, only, place), place), place);
}

function bendSubAttributes(attribute: SchemaAttribute, source: JsonObject, place: Place): JsonObject {
  const bent: JsonObject = {};
  for (const [name, inner] of Object.entries(source)) {
    const sub = attribute.subAttributes.get(name.toLowerCase());
    if (sub?.name === "value" && typeof inner === "string" && attribute.subAttributes.has("display")) {
      const held = assignmentIn(inner);
      if (held && place.bending.allows("json-in-text", { attribute: inside(place, sub).path })) {
        if (held.value !== undefined) bent["value"] = held.value;
        if (held.display !== undefined) bent["display"] ??= held.display;
        continue;
      }
    }
    bent[name] = !sub || isPlainText(sub, inner) ? inner : bendValue(sub, inner, inside(place, sub));
  }
  return bent;
}

/** A role assignment as Entra keeps it, inside the value of a role; an application's default role has a name and no value. */
function assignmentIn(text: string): { value?: string; display?: string } | undefined {
  const held = jsonIn(text);
  if (!isJsonObject(held)) return undefined;
  const [value, named] = [held["value"] ?? null, held["displayName"] ?? held["display"]];
  const display = typeof named === "string" && named !== "" ? { display: named } : {};
  if (typeof value === "string") return { value, ...display };
  return value === null && display.display !== undefined ? display : undefined;
}

/** What nearly every value is: a group's members may be thousands. */
function isPlainText(sub: SchemaAttribute, value: JsonValue): boolean {
  return typeof value === "string" && value !== "" && !sub.multiValued && (sub.type === "string" || sub.type === "reference");
}

/** Names under which a reference's id comes. */
const ID_NAMES: ReadonlySet<string> = new Set(["id", "managerid"]);

/** A reference's id, where it came as `$ref` or under another name. */
function withItsValue(attribute: SchemaAttribute, source: JsonObject, { path, bending }: Place): JsonObject {
  if (typeof source["value"] === "string" && source["value"] !== "") return source;
  if (!attribute.subAttributes.has("value") || !attribute.subAttributes.has("$ref")) return source;
  const entries = Object.entries(source);
  if (entries.some(([name, inner]) => name.toLowerCase() === "value" && inner !== null && inner !== "")) return source;
  const other = entries.find(([name, inner]) => ID_NAMES.has(name.toLowerCase()) && typeof inner === "string" && inner !== "");
  if (other && bending.allows("id-for-value", { attribute: path, sample: other[0].toLowerCase() === "id" ? "id" : "managerId" }))
    return { ...source, value: other[1] };
  const reference = entries.find(([name]) => name.toLowerCase() === "$ref")?.[1];
  const id = typeof reference === "string" ? /(?:^|\/)(?:Users|Groups)\/([^/?#]+)\/?$/i.exec(reference)?.[1] : undefined;
  return id !== undefined && bending.allows("reference-only", { attribute: path }) ? { ...source, value: id } : source;
}

/** A role as Entra assigns it: `displayName` where RFC 7643 section 2.4 has `display`. */
function withItsDisplay({ subAttributes }: SchemaAttribute, source: JsonObject, { path, bending }: Place): JsonObject {
  const named = source["displayName"];
  if (typeof named !== "string" || source["display"] !== undefined) return source;
  if (!subAttributes.has("display") || subAttributes.has("displayname") || !bending.allows("display-name", { attribute: path }))
    return source;
  return { ...source, display: named };
}

function bendPlain(attribute: SchemaAttribute, value: JsonValue, place: Place): JsonValue {
  const { path, bending } = place;
  const held = isJsonObject(value) ? value["value"] : undefined;
  if (held !== undefined && typeof held !== "object" && bending.allows("object-for-text", { attribute: path }))
    return bendElement(attribute, held, place);
  switch (attribute.type) {
    case "boolean":
      return bendBoolean(value, place);
    case "integer":
    case "decimal": {
      const isNumber = typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value));
      return isNumber && bending.allows("number-text", { attribute: path, value }) ? Number(value) : value;
    }
    case "dateTime":
      return typeof value === "string" &&
        !isXsdDateTime(value) &&
        instant(value) !== undefined &&
        bending.allows("date-form", { attribute: path, value })
        ? xsdDateTime(value)
        : value;
    case "string":
    case "reference":
      return typeof value === "number" && !isRounded(value) && bending.allows("number-for-text", { attribute: path, value })
        ? String(value)
        : value;
    default:
      return value;
  }
}

function bendBoolean(value: JsonValue, { path, bending }: Place): JsonValue {
  if (typeof value === "string" && /^(true|false)$/i.test(value.trim())) {
    const text = value.trim();
    return bending.allows("boolean-text", { attribute: path, sample: JSON.stringify(text), value }) ? text.toLowerCase() === "true" : value;
  }
  if (value === 1 || value === 0 || value === "1" || value === "0")
    return bending.allows("boolean-number", { attribute: path, sample: String(value), value }) ? Number(value) === 1 : value;
  return value;
}

function inside(place: Place, sub: SchemaAttribute): Place {
  return { ...place, path: `${place.path}.${sub.name}` };
}
