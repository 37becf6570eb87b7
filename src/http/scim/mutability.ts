import { AppError } from "../../errors.ts";
import { isStored } from "./coerce.ts";
import { isJsonObject, sameJson, type JsonObject, type JsonValue } from "./json.ts";
import type { AttributeMap, ResourceSchema, SchemaAttribute } from "./schema.ts";

interface Change {
  before: JsonObject;
  after: JsonObject;
}

/**
 * Refuses a change of what was said once and for all (RFC 7643 section 2.2, immutable; RFC 7644 sections 3.5.1 and 3.5.2).
 * Throws `invalid` (mutability) naming the attribute.
 */
export function refuseImmutable(schema: ResourceSchema, change: Change): void {
  for (const { attribute, path, held, next } of attributesOf(schema, change)) {
    if (attribute.mutability === "immutable" && held !== undefined && !sameJson(held, next)) throw immutable(path);
    if (attribute.multiValued || !isJsonObject(held)) continue;
    for (const sub of attribute.subAttributes.values()) {
      const before = held[sub.name];
      const after = isJsonObject(next) ? next[sub.name] : undefined;
      if (sub.mutability === "immutable" && before !== undefined && !sameJson(before, after)) throw immutable(`${path}.${sub.name}`);
    }
  }
}

/** What is immutable and left out of a whole resource stays as it is: to leave it out is not to change it. */
export function withImmutable(schema: ResourceSchema, { before, after }: Change): JsonObject {
  const kept = [...schema.attributes.values()].filter(
    ({ mutability, name }) => mutability === "immutable" && after[name] === undefined && before[name] !== undefined,
  );
  return kept.length === 0 ? after : { ...after, ...Object.fromEntries(kept.map(({ name }) => [name, before[name] ?? null])) };
}

/**
 * Whether a user is active is never left unsaid once it was said: a client that leaves the value out, or takes it away, does not mean
 * to bring anybody back.
 */
export function withActive(schema: ResourceSchema, { before, after }: Change): JsonObject {
  const held = before["active"];
  return schema.type !== "User" || held === undefined || after["active"] !== undefined ? after : { ...after, active: held };
}

/**
 * Refuses a patch that leaves a resource without what it must have: `mutability` when it was removed (RFC 7644 section
 * 3.5.2.2), `invalidValue` when it was given no value.
 */
export function refuseLostRequired(
  schema: ResourceSchema,
  { removed, ...change }: Change & { removed: ReadonlySet<SchemaAttribute> },
): void {
  for (const { attribute, path, held, next } of attributesOf(schema, change)) {
    if (!attribute.required || !isStored(attribute) || held === undefined || next !== undefined) continue;
    throw new AppError("invalid", `${path} is required: it can be replaced, not removed.`, {
      field: path,
      scimType: removed.has(attribute) ? "mutability" : "invalidValue",
    });
  }
}

function immutable(path: string): AppError {
  return new AppError("invalid", `${path} was set once and can't be changed.`, { field: path, scimType: "mutability" });
}

interface Held {
  attribute: SchemaAttribute;
  /** As the client would name it. */
  path: string;
  held: JsonValue | undefined;
  next: JsonValue | undefined;
}

function attributesOf(schema: ResourceSchema, { before, after }: Change): Held[] {
  const among = (attributes: AttributeMap, prefix: string, holders: { held: JsonValue | undefined; next: JsonValue | undefined }) =>
    [...attributes.values()].map((attribute) => ({
      attribute,
      path: `${prefix}${attribute.name}`,
      held: isJsonObject(holders.held) ? holders.held[attribute.name] : undefined,
      next: isJsonObject(holders.next) ? holders.next[attribute.name] : undefined,
    }));
  return [
    ...among(schema.attributes, "", { held: before, next: after }),
    ...schema.extensions.flatMap(({ urn, attributes }) => among(attributes, `${urn}:`, { held: before[urn], next: after[urn] })),
  ];
}
