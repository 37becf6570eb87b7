import { AppError } from "../../../errors.ts";
import { isUnassigned, notAnObject } from "../coerce.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { findAttribute, type ResourceSchema } from "../schema.ts";
import { readPath, type PatchPath } from "./path.ts";

/** RFC 7644 section 3.5.2. */
export const PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

export interface Operation {
  op: "add" | "replace" | "remove";
  path: PatchPath;
  /** Undefined when the operation has none, or null. */
  value: JsonValue | undefined;
}

const MOST_OPERATIONS = 1000;

/**
 * Reads a PATCH body into operations with one path each: a value without a path becomes one operation for each of its
 * names (dotted and URN-qualified ones, too). Throws `invalid` with the scimType of RFC 7644 table 9.
 */
export function readOperations(schema: ResourceSchema, body: JsonObject): Operation[] {
  const schemas = body["schemas"];
  if (Array.isArray(schemas) && !schemas.some((urn) => String(urn).toLowerCase() === PATCH_OP.toLowerCase())) {
    throw syntax(`schemas: must contain ${PATCH_OP}.`, "schemas");
  }
  const operations = Object.entries(body).find(([name]) => name.toLowerCase() === "operations")?.[1];
  if (!Array.isArray(operations) || operations.length === 0)
    throw syntax("Operations: must be a list with at least one operation.", "Operations");
  refuseTooMany(operations);
  const read = operations.flatMap((operation, at) => readOperation(schema, operation, `Operations[${at}]`));
  // A value without a path is as many as it has names.
  refuseTooMany(read);
  return read;
}

function refuseTooMany(operations: readonly unknown[]): void {
  if (operations.length > MOST_OPERATIONS)
    throw new AppError("too_large", `Operations: at most ${MOST_OPERATIONS} in one request.`, { field: "Operations" });
}

function readOperation(schema: ResourceSchema, raw: JsonValue, field: string): Operation[] {
  if (!isJsonObject(raw)) throw syntax(`${field}: must be an object.`, field);
  const op = String(raw["op"] ?? "").toLowerCase();
  if (op !== "add" && op !== "replace" && op !== "remove") throw syntax(`${field}.op: must be add, replace or remove.`, `${field}.op`);
  const { path } = raw;
  const value = raw["value"] ?? undefined;
  // Section 3.5.2.1: what says null means no value, but what says nothing would empty an attribute that it was to fill.
  if (op === "add" && raw["value"] === undefined)
    throw new AppError("invalid", `${field}.value: add needs a value.`, { field: `${field}.value`, scimType: "invalidValue" });
  if (path !== undefined && path !== null && path !== "") {
    if (typeof path !== "string")
      throw new AppError("invalid", `${field}.path: must be a text.`, { field: `${field}.path`, scimType: "invalidPath" });
    return readTargeted(schema, { op, path, value, field });
  }
  if (op === "remove") throw new AppError("invalid", `${field}: remove needs a path.`, { field: `${field}.path`, scimType: "noTarget" });
  if (!isJsonObject(value))
    throw new AppError("invalid", `${field}.value: must be an object when there is no path.`, {
      field: `${field}.value`,
      scimType: "invalidValue",
    });
  // Passed over as an attribute that nobody knows, a member's `value` would be a success that changes nothing.
  const pathless = Object.keys(value).find((name) => name.toLowerCase() === "value");
  if (pathless !== undefined && !findAttribute(schema, pathless))
    throw new AppError("invalid", `${field}.value: \`value\` is no attribute of a ${schema.type}: send a path that says whose it is.`, {
      field: `${field}.value`,
      scimType: "invalidValue",
    });
  return named(schema, { op, values: value, prefix: "" });
}

function readTargeted(
  schema: ResourceSchema,
  { op, path, value, field }: { op: Operation["op"]; path: string; value: JsonValue | undefined; field: string },
): Operation[] {
  const found = readPath(schema, path.trim());
  if (!found)
    throw new AppError("invalid", `${field}.path: \`${path.slice(0, 100)}\` is not an attribute of a ${schema.type}.`, {
      field: `${field}.path`,
      scimType: "invalidPath",
    });
  const { attribute, sub } = found;
  if (!attribute) return onExtension(schema, { op, path: found, value });
  if (attribute.name === "schemas" || attribute.returned === "never") return [];
  if (attribute.mutability === "readOnly" || sub?.mutability === "readOnly") {
    throw new AppError("invalid", `${field}.path: ${attribute.name}${sub ? `.${sub.name}` : ""} can only be read.`, {
      field: `${field}.path`,
      scimType: "mutability",
    });
  }
  return [{ op, path: found, value }];
}

/** A whole extension is given as an object, or as nothing; what is neither must not take all that it holds away. */
function onExtension(schema: ResourceSchema, { op, path, value }: Operation): Operation[] {
  const extension = path.extension ?? "";
  if (op !== "remove" && isJsonObject(value)) return named(schema, { op, values: value, prefix: `${extension}:` });
  if (op === "remove" || isUnassigned(value)) return op === "add" && Array.isArray(value) ? [] : [{ op: "remove", path, value: undefined }];
  throw notAnObject(extension);
}

/** One operation for each name. What the schema does not know, or only shows, is passed over as it is in a whole resource. */
function named(schema: ResourceSchema, { op, values, prefix }: { op: Operation["op"]; values: JsonObject; prefix: string }): Operation[] {
  return Object.entries(values).flatMap(([name, value]): Operation[] => {
    if (prefix === "" && name.toLowerCase() === schema.urn.toLowerCase() && isJsonObject(value))
      return named(schema, { op, values: value, prefix: `${schema.urn}:` });
    const path = readPath(schema, `${prefix}${name}`);
    if (!path) return [];
    const { attribute, sub } = path;
    if (!attribute) return onExtension(schema, { op, path, value });
    if (
      attribute.mutability === "readOnly" ||
      sub?.mutability === "readOnly" ||
      attribute.returned === "never" ||
      attribute.name === "schemas"
    )
      return [];
    return [{ op, path, value: value ?? undefined }];
  });
}

function syntax(message: string, field: string): AppError {
  return new AppError("invalid", message, { field, scimType: "invalidSyntax" });
}
