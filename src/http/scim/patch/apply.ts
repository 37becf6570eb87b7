import { AppError } from "../../../errors.ts";
import { coerceSingle, coerceValue, extensionOf, requireAttributes } from "../coerce.ts";
import { hasContent } from "../elements.ts";
import type { Filter } from "../filter/ast.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { refuseImmutable, refuseLostRequired } from "../mutability.ts";
import type { ResourceSchema, SchemaAttribute } from "../schema.ts";
import { patchList } from "./list.ts";
import type { Operation } from "./operations.ts";

export interface PatchOptions {
  schema: ResourceSchema;
  operations: readonly Operation[];
  /** Whether a value path that chooses nothing makes what it describes, as some clients count on; else noTarget. */
  createsAbsent: boolean;
}

/**
 * The resource after a patch (RFC 7644 section 3.5.2): a new document, all operations or none. `resource` is in the
 * schema's form, as coerceResource makes it, and stays so. Throws `invalid` (noTarget, invalidValue, mutability).
 */
export function applyPatch(resource: JsonObject, { schema, operations, createsAbsent }: PatchOptions): JsonObject {
  const next = structuredClone(resource);
  let looks = 0;
  for (const operation of operations) {
    looks += looksOf(next, operation);
    if (looks > MOST_LOOKS) throw tooMuch();
    applyOperation(next, { ...operation, createsAbsent });
  }
  const removed = new Set(operations.flatMap(({ op, path }) => (op === "remove" && path.attribute ? [path.attribute] : [])));
  refuseLostRequired(schema, { before: resource, after: next, removed });
  refuseImmutable(schema, { before: resource, after: next });
  requireAttributes(schema, next);
  return next;
}

/** Many operations on a long list would keep everybody else waiting. */
const MOST_LOOKS = 250_000;

/** How many conditions on elements an operation asks at most. */
function looksOf(resource: JsonObject, { path: { extension, attribute, filter } }: Operation): number {
  const holder = extension ? resource[extension] : resource;
  const held = attribute && isJsonObject(holder) ? holder[attribute.name] : undefined;
  return Array.isArray(held) ? held.length * (filter ? conditionsIn(filter) : 1) : 0;
}

function conditionsIn(filter: Filter): number {
  if (filter.kind === "and" || filter.kind === "or") return filter.filters.reduce((sum, part) => sum + conditionsIn(part), 0);
  return filter.kind === "not" || filter.kind === "some" ? conditionsIn(filter.filter) : 1;
}

function tooMuch(): AppError {
  return new AppError("too_large", "Operations: too many on lists that are too long; send them in several requests.", {
    field: "Operations",
  });
}

function applyOperation(resource: JsonObject, { op, path, value, createsAbsent }: Operation & { createsAbsent: boolean }): void {
  const { extension, attribute } = path;
  if (!attribute) {
    if (extension) delete resource[extension];
    return;
  }
  const holder = extension ? extensionOf(resource, extension) : resource;
  const before = holder[attribute.name];
  const after = attribute.multiValued
    ? patchList(Array.isArray(before) ? before : [], { op, path: { ...path, attribute }, value, createsAbsent })
    : patchSingle(before, { op, attribute, sub: path.sub, value });
  if (after === undefined || (Array.isArray(after) && after.length === 0)) delete holder[attribute.name];
  else holder[attribute.name] = after;
  if (extension && Object.keys(holder).length === 0) delete resource[extension];
}

interface SingleChange {
  op: Operation["op"];
  attribute: SchemaAttribute;
  sub?: SchemaAttribute | undefined;
  value: JsonValue | undefined;
}

function patchSingle(before: JsonValue | undefined, { op, attribute, sub, value }: SingleChange): JsonValue | undefined {
  const given = op === "remove" ? undefined : value;
  if (sub) return patchSub(before, { attribute, sub, value: given });
  if (given === undefined) return undefined;
  // A reference is replaced whole: the name and location of another manager must not stay beside the new id.
  if (attribute.type !== "complex" || attribute.subAttributes.has("value"))
    return withItsValue(attribute, coerceValue(attribute, given, attribute.name));
  const values = Array.isArray(given) ? given[0] : given;
  if (!isJsonObject(values)) {
    if (coerceSingle(attribute, values ?? null, attribute.name) === undefined) return undefined;
    throw new AppError("invalid", `${attribute.name}: must be an object.`, { field: attribute.name, scimType: "invalidValue" });
  }
  let after = before;
  for (const [name, inner] of Object.entries(values)) {
    const found = attribute.subAttributes.get(name.toLowerCase());
    if (found && found.mutability !== "readOnly") after = patchSub(after, { attribute, sub: found, value: inner });
  }
  return after;
}

function patchSub(
  before: JsonValue | undefined,
  { attribute, sub, value }: { attribute: SchemaAttribute; sub: SchemaAttribute; value: JsonValue | undefined },
): JsonValue | undefined {
  const after: JsonObject = isJsonObject(before) ? { ...before } : {};
  const coerced = value === undefined ? undefined : coerceValue(sub, value, `${attribute.name}.${sub.name}`);
  if (coerced === undefined) delete after[sub.name];
  else after[sub.name] = coerced;
  return hasContent(after, attribute) ? withItsValue(attribute, after) : undefined;
}

/** A reference without its id refers to nothing. */
function withItsValue(attribute: SchemaAttribute, value: JsonValue | undefined): JsonValue | undefined {
  return isJsonObject(value) && attribute.subAttributes.has("value") && value["value"] === undefined ? undefined : value;
}
