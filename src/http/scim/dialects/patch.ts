import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { PATCH_OP } from "../patch/operations.ts";
import { findAttribute, type ResourceSchema } from "../schema.ts";
import { bendPath, type BentPath } from "./path.ts";
import { bendExtension, pathOf, valueOf, type BendOptions } from "./resource.ts";
import { listOf, oldUrn } from "./schemas.ts";
import { bendElement, bendValue, jsonIn } from "./values.ts";

/** A PATCH body as RFC 7644 section 3.5.2 has it, as far as the profile understands it. Throws `invalid`. */
export function bendPatch(body: JsonValue, options: BendOptions): JsonValue {
  const { bending } = options;
  if (Array.isArray(body) && body.length > 0 && bending.allows("json-patch"))
    return bendPatch({ schemas: [PATCH_OP], Operations: body }, options);
  if (!isJsonObject(body)) return body;
  const operations = operationsOf(body, options);
  if (operations === undefined) return resourceAsPatch(body, options);
  const rest = Object.fromEntries(Object.entries(body).filter(([name]) => !["schemas", "operations"].includes(name.toLowerCase())));
  return {
    ...rest,
    ...messageSchemas(body, options),
    Operations: Array.isArray(operations) ? operations.flatMap((operation) => bendOperation(operation, options)) : operations,
  };
}

function operationsOf(body: JsonObject, { bending }: BendOptions): JsonValue | undefined {
  const name = Object.keys(body).find((key) => key.toLowerCase() === "operations");
  // One operation, where a message belongs.
  if (name === undefined && typeof valueOf(body, "op") === "string")
    return bending.allows("operations-one", { attribute: "Operations", scimType: "invalidSyntax" }) ? [body] : undefined;
  const given = name === undefined ? undefined : body[name];
  if (name !== undefined && name !== "Operations") bending.allows("operations-name");
  // Success that changes nothing; whatever asks for nothing can have it.
  if (
    Array.isArray(given) &&
    given.length === 0 &&
    bending.allows("operations-empty", { attribute: "Operations", scimType: "invalidSyntax" })
  )
    return [{ op: "add", value: {} }];
  return isJsonObject(given) && bending.allows("operations-one", { attribute: "Operations", scimType: "invalidSyntax" }) ? [given] : given;
}

function messageSchemas(body: JsonObject, { bending }: BendOptions): JsonObject {
  const given = valueOf(body, "schemas") ?? undefined;
  if (given === undefined || given === null) {
    bending.allows("schemas-missing", { attribute: "schemas", scimType: "invalidSyntax" });
    return { schemas: [PATCH_OP] };
  }
  const listed = listOf(given, bending);
  if (!listed) return { schemas: given };
  const isMessage = (urn: string) => urn.toLowerCase() === PATCH_OP.toLowerCase();
  if (!listed.some(isMessage)) return { schemas: bending.allows("schemas-other", { attribute: "schemas" }) ? [PATCH_OP] : listed };
  if (listed.length > 1) bending.allows("schemas-unknown", { attribute: "schemas" });
  return { schemas: listed };
}

/**
 * A partial resource for a PATCH. As SCIM 1.1 has it, what `meta.attributes` names goes before the rest comes, and elements marked
 * by `operation: "delete"` go; one marked by nothing comes to its list where another is marked, and members always do.
 */
function resourceAsPatch(body: JsonObject, options: BendOptions): JsonValue {
  const { schema, bending } = options;
  const members = Object.entries(body).filter(([name]) => !["schemas", "id", "meta"].includes(name.toLowerCase()));
  const gone = namedToGo(body);
  if (gone.length === 0 && !members.some(([name]) => findAttribute(schema, name))) return body;
  if (!bending.allows("resource-for-patch")) return body;
  const operations = members.flatMap(([name, value]): JsonObject[] => {
    const removed = Array.isArray(value) ? value.filter(isMarkedToGo) : [];
    if (!Array.isArray(value) || (removed.length === 0 && name.toLowerCase() !== "members"))
      return [{ op: "replace", value: { [name]: value } }];
    const added = value.filter((element) => !isMarkedToGo(element));
    return [
      ...(removed.length ? [{ op: "remove", path: name, value: removed }] : []),
      ...(added.length ? [{ op: "add", path: name, value: added }] : []),
    ];
  });
  const all = [...gone.map((path): JsonObject => ({ op: "remove", path })), ...operations];
  return { schemas: [PATCH_OP], Operations: all.flatMap((operation) => bendOperation(operation, options)) };
}

function namedToGo(body: JsonObject): string[] {
  const meta = valueOf(body, "meta");
  const named = isJsonObject(meta) ? valueOf(meta, "attributes") : undefined;
  return Array.isArray(named) ? named.filter((path) => typeof path === "string") : [];
}

function isMarkedToGo(element: JsonValue): boolean {
  return isJsonObject(element) && String(valueOf(element, "operation") ?? "").toLowerCase() === "delete";
}

/** One operation as it should have come; one without a path may stand for several. */
function bendOperation(raw: JsonValue, options: BendOptions): JsonValue[] {
  if (!isJsonObject(raw)) return [raw];
  const { bending, schema } = options;
  const operation: JsonObject = {};
  for (const [name, value] of Object.entries(raw))
    operation[["op", "path", "value"].includes(name.toLowerCase()) ? name.toLowerCase() : name] = value;
  bendName(operation, options);
  const { path, value } = operation;
  if (path === null || path === "") {
    bending.allows("path-null");
    delete operation["path"];
  } else if (typeof path === "string") {
    const bent = bendPath(path, options);
    const member = memberInPath(operation, bent, options);
    if (member !== undefined) return [{ op: "add", path: "members", value: [{ value: member }] }];
    if (!bent.isWhole) {
      const meant = withMainSub(bent, operation, options);
      const whole = wholeReference(meant, operation);
      if (whole) return [{ ...operation, path: whole.path.text, value: bendTargeted(whole.value, whole.path, options) }];
      return [{ ...operation, path: meant.text, ...(value === undefined ? {} : { value: bendTargeted(value, meant, options) }) }];
    }
    delete operation["path"];
  } else if (path !== undefined) return [operation];
  return withoutPath(operation, { bending, schema });
}

/** `members[value eq "2819c223"]` to be added, without a value: whom the path describes is to be there. */
function memberInPath({ op, value }: JsonObject, { attribute, sub, text }: BentPath, { schema, bending }: BendOptions): string | undefined {
  if (op !== "add" || (value !== undefined && value !== null) || sub || attribute !== schema.attributes.get("members")) return undefined;
  const id = /\[\s*value\s+eq\s+"([^"\\]+)"\s*\]$/i.exec(text)?.[1];
  return id !== undefined && bending.allows("member-in-path", { attribute: "members", scimType: "mutability" }) ? id : undefined;
}

/** `emails[type eq "work"]` with a text: its address is meant, and what else the element says stays. */
function withMainSub(path: BentPath, { op, value }: JsonObject, { bending }: BendOptions): BentPath {
  const { attribute, sub, filtered, text } = path;
  if (!filtered || sub || !attribute || op === "remove") return path;
  if (!["string", "number"].includes(typeof value) || value === "" || (typeof value === "string" && jsonIn(value) !== undefined))
    return path;
  const main = attribute.subAttributes.get("value") ?? attribute.subAttributes.get("formatted");
  if (!main || !bending.allows("text-for-object", { attribute: attribute.name, value })) return path;
  return { ...path, text: `${text}.${main.name}`, sub: main };
}

/** `manager.$ref` with a URI: whoever it names is the manager, and the id of the one before must not stay beside it. */
function wholeReference(
  { attribute, sub, text, ...path }: BentPath,
  { op, value }: JsonObject,
): { path: BentPath; value: JsonObject } | undefined {
  if (op === "remove" || typeof value !== "string" || value === "" || sub?.name !== "$ref") return undefined;
  if (!attribute || attribute.multiValued || !attribute.subAttributes.has("value")) return undefined;
  return { path: { ...path, attribute, text: text.slice(0, -".$ref".length) }, value: { $ref: value } };
}

function bendName(operation: JsonObject, { bending }: BendOptions): void {
  const { op } = operation;
  if (typeof op !== "string") return;
  const lower = op.trim().toLowerCase();
  if (op === lower || !["add", "remove", "replace"].includes(lower)) return;
  const form = op.trim() === lower.charAt(0).toUpperCase() + lower.slice(1) ? op.trim() : lower.toUpperCase();
  if (bending.allows("op-case", { attribute: "op", sample: JSON.stringify(form), value: op, scimType: "invalidSyntax" }))
    operation["op"] = lower;
}

function withoutPath(operation: JsonObject, options: BendOptions): JsonValue[] {
  const { bending } = options;
  const { value } = operation;
  const inner = typeof value === "string" ? jsonIn(value) : undefined;
  const given = inner !== undefined && bending.allows("json-in-text", { attribute: "value" }) ? inner : value;
  if (
    Array.isArray(given) &&
    given.length > 0 &&
    given.every((one) => isJsonObject(one) && namesSomething(one, options)) &&
    bending.allows("list-for-one", { attribute: "value", value: given })
  )
    return given.flatMap((one) => withoutPath({ ...operation, value: one }, options));
  if (!isJsonObject(given)) return [operation];
  if (operation["op"] === "remove") {
    if (!bending.allows("remove-without-path")) return [operation];
    return Object.entries(given).flatMap(([name, held]) =>
      findAttribute(options.schema, name) ? bendOperation({ op: "remove", path: name, value: held }, options) : [],
    );
  }
  return [{ ...operation, value: bendNamed(given, options) }];
}

/** A list of members, say, names nothing: without a path it is refused, instead of being taken for a change of nothing. */
function namesSomething(values: JsonObject, { schema }: BendOptions): boolean {
  return Object.keys(values).some((name) => /^urn:/i.test(name) || findAttribute(schema, name.replace(/[.[].*$/s, "")) !== undefined);
}

/** The values of an operation without a path, by their names; the names stay, the operation's reader knows them all. */
function bendNamed(values: JsonObject, options: BendOptions): JsonObject {
  const { schema, bending } = options;
  const bent: JsonObject = {};
  for (const [name, value] of Object.entries(values)) {
    const extension = schema.extensions.find(({ urn }) => urn.toLowerCase() === (oldUrn(name, options) ?? name).toLowerCase());
    if (extension) bent[extension.urn] = isJsonObject(value) ? bendExtension(value, { extension, bending }) : value;
    else if (name.toLowerCase() === schema.urn.toLowerCase() && isJsonObject(value)) bent[name] = bendNamed(value, options);
    else if (name.toLowerCase() === "schemas") continue;
    else {
      const path = bendPath(name, options);
      if (path.attribute && path.filtered) bending.allows("path-as-name", { attribute: path.attribute.name });
      else if (path.attribute && path.text.toLowerCase() !== path.attribute.name.toLowerCase())
        bending.allows("dotted-name", { attribute: pathOf({ attribute: path.attribute, ...(path.sub ? { sub: path.sub } : {}) }) });
      bent[path.attribute ? path.text : name] = bendTargeted(value, path, options);
    }
  }
  return bent;
}

function bendTargeted(
  value: JsonValue,
  { attribute, sub, filtered }: BentPath,
  { bending }: { bending: BendOptions["bending"]; schema: ResourceSchema },
): JsonValue {
  if (!attribute || value === null) return value;
  const path = sub ? `${attribute.name}.${sub.name}` : attribute.name;
  if (sub) return bendValue(sub, value, { path, bending, isPatch: true });
  if (!filtered) return bendValue(attribute, value, { path, bending, isPatch: true });
  const [only, second] = Array.isArray(value) ? value : [value];
  return second === undefined && only !== undefined ? bendElement(attribute, only, { path, bending, isPatch: true }) : value;
}
