import { ENTERPRISE_USER } from "../../../directory/attributes.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { findAttribute, isUrnOf, type Extension, type Named, type ResourceSchema, type SchemaAttribute } from "../schema.ts";
import type { Bending } from "./bending.ts";
import { bendSchemas, oldUrn } from "./schemas.ts";
import { bendValue, jsonIn } from "./values.ts";

export interface BendOptions {
  schema: ResourceSchema;
  bending: Bending;
}

/** A whole resource as the RFCs would have it, as far as the profile understands it. What nobody knows stays for validation. Throws `invalid`. */
export function bendResource(body: JsonObject, { schema, bending }: BendOptions): JsonObject {
  const bent: JsonObject = {};
  const placed: Placed = new Map();
  for (const [name, value] of Object.entries(body)) {
    if (name.toLowerCase() === "schemas") continue;
    assign(bent, { name, value }, { schema, bending, placed });
  }
  for (const [name, elements] of placed) bent[name] = withPlaced(bent[name], elements);
  return { schemas: bendSchemas(valueOf(body, "schemas"), { schema, bending }), ...bent };
}

interface Member {
  name: string;
  value: JsonValue;
}

/** Elements of lists that came by paths as names: by the list's name, then by type. */
type Placed = Map<string, Map<string, JsonObject>>;

type Assigning = BendOptions & { placed: Placed };

function assign(bent: JsonObject, { name, value }: Member, options: Assigning): void {
  const { schema, bending } = options;
  if (isUrnOf(schema, name) && isJsonObject(value)) {
    if (!bending.allows("core-under-urn")) return void (bent[name] = value);
    for (const [inner, held] of Object.entries(value)) assign(bent, { name: inner, value: held }, options);
    return;
  }
  const renewed = oldUrn(name, options) ?? name;
  const named = findAttribute(schema, renewed);
  if (!named) return assignUnknown(bent, { name, value }, options);
  if (!named.attribute) return assignExtension(bent, { name: named.extension, value }, options);
  const { attribute, sub, extension } = named;
  if (!sub && !extension && renewed.toLowerCase() === attribute.name.toLowerCase()) {
    bent[attribute.name] = joined(bent[attribute.name], bendValue(attribute, value, { path: attribute.name, bending }));
    return;
  }
  const path = pathOf(named);
  // Validation understands such names, too: here they are only counted, and their values bent.
  bending.allows("dotted-name", { attribute: path });
  bent[renewed] = bendValue(sub ?? attribute, value, { path, bending });
}

/** `name: {…}` beside `name.givenName`, whichever came first. */
function joined(before: JsonValue | undefined, value: JsonValue): JsonValue {
  return isJsonObject(before) && isJsonObject(value) ? { ...before, ...value } : value;
}

function assignExtension(bent: JsonObject, { name, value }: Member, { schema, bending }: BendOptions): void {
  const extension = schema.extensions.find(({ urn }) => urn === name);
  const inner = typeof value === "string" ? jsonIn(value) : undefined;
  const held = inner !== undefined && bending.allows("json-in-text", { attribute: name }) ? inner : value;
  if (!extension || !isJsonObject(held)) return void (bent[name] = held);
  const before = bent[name];
  bent[name] = { ...(isJsonObject(before) ? before : {}), ...bendExtension(held, { extension, bending }) };
}

export function bendExtension(values: JsonObject, { extension, bending }: { extension: Extension; bending: Bending }): JsonObject {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]): [string, JsonValue] => {
      const attribute = extension.attributes.get(name.toLowerCase());
      return attribute ? [attribute.name, bendValue(attribute, value, { path: attribute.name, bending })] : [name, value];
    }),
  );
}

/** A path as a name, or an extension's attribute outside it; what else the schema does not know stays as it is. */
function assignUnknown(bent: JsonObject, { name, value }: Member, { schema, bending, placed }: Assigning): void {
  const place = placeInList(name, schema);
  if (place && !Array.isArray(value) && !isJsonObject(value)) {
    const { attribute, sub, equal } = place;
    if (!bending.allows("path-as-name", { attribute: attribute.name })) return void (bent[name] = value);
    const elements = placed.get(attribute.name) ?? new Map<string, JsonObject>();
    const held = bendValue(sub, value, { path: `${attribute.name}.${sub.name}`, bending });
    elements.set(equal.type, { ...(elements.get(equal.type) ?? equal), [sub.name]: held });
    placed.set(attribute.name, elements);
    return;
  }
  const home = extensionHolding(schema, name);
  if (!home || value === null || !bending.allows("extension-at-top", { attribute: home.attribute.name })) return void (bent[name] = value);
  const before = bent[home.extension.urn];
  // What stands inside the extension is meant; whichever came first.
  bent[home.extension.urn] = {
    [home.attribute.name]: bendValue(home.attribute, value, { path: home.attribute.name, bending }),
    ...(isJsonObject(before) ? before : {}),
  };
}

/** A list with what paths as names say of its elements, whichever came first: of the first element of each type. Lists may be long: each is walked once. */
function withPlaced(before: JsonValue | undefined, placed: ReadonlyMap<string, JsonObject>): JsonValue[] {
  const waiting = new Map(placed);
  const elements = (Array.isArray(before) ? before : []).map((element) => {
    const type = isJsonObject(element) ? element["type"] : undefined;
    const more = typeof type === "string" ? waiting.get(type) : undefined;
    if (typeof type !== "string" || !more || !isJsonObject(element)) return element;
    waiting.delete(type);
    return { ...element, ...more };
  });
  return [...elements, ...waiting.values()];
}

/** `emails[type eq "work"].value` as the name of an attribute. */
function placeInList(
  name: string,
  schema: ResourceSchema,
): { attribute: SchemaAttribute; sub: SchemaAttribute; equal: JsonObject & { type: string } } | undefined {
  const [, list = "", type = "", primary, subName = ""] =
    /^([A-Za-z]+)\[\s*type\s+eq\s+"([^"\\]{1,100})"(\s+and\s+primary\s+eq\s+"?true"?)?\s*\]\.([A-Za-z]+)$/i.exec(name) ?? [];
  const attribute = schema.attributes.get(list.toLowerCase());
  const sub = attribute?.subAttributes.get(subName.toLowerCase());
  return attribute?.multiValued && sub ? { attribute, sub, equal: { type, ...(primary ? { primary: true } : {}) } } : undefined;
}

/**
 * The one extension that has this attribute, where the core schema has none of the name. The RFC's comes before the organisation's own:
 * what a client has always sent must not be lost to an attribute that somebody adds.
 */
export function extensionHolding(schema: ResourceSchema, name: string): { extension: Extension; attribute: SchemaAttribute } | undefined {
  const holding = schema.extensions.flatMap((extension) => {
    const attribute = extension.attributes.get(name.toLowerCase());
    return attribute ? [{ extension, attribute }] : [];
  });
  return holding.length === 1 ? holding[0] : holding.find(({ extension }) => extension.urn === ENTERPRISE_USER);
}

/** A member's value, whatever the case of its name. */
export function valueOf(object: JsonObject, name: string): JsonValue | undefined {
  return object[name] ?? Object.entries(object).find(([other]) => other.toLowerCase() === name.toLowerCase())?.[1];
}

/** A target in the schema's names. */
export function pathOf({ attribute, sub }: Extract<Named, { attribute: SchemaAttribute }>): string {
  return sub ? `${attribute.name}.${sub.name}` : attribute.name;
}
