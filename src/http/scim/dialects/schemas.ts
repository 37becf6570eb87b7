import { CORE_GROUP, CORE_USER, ENTERPRISE_USER } from "../../../directory/attributes.ts";
import type { JsonValue } from "../json.ts";
import type { ResourceSchema } from "../schema.ts";
import type { Bending } from "./bending.ts";

interface Options {
  schema: ResourceSchema;
  bending: Bending;
}

/** URNs of SCIM 1.1 and of drafts, and what they have become. */
const OLD_URNS: ReadonlyMap<string, readonly string[]> = new Map([
  ["urn:scim:schemas:core:1.0", [CORE_USER, CORE_GROUP]],
  ["urn:scim:schemas:core:2.0:user", [CORE_USER]],
  ["urn:scim:schemas:core:2.0:group", [CORE_GROUP]],
  ["urn:scim:schemas:extension:enterprise:1.0", [ENTERPRISE_USER]],
  ["urn:scim:schemas:extension:enterprise:2.0:user", [ENTERPRISE_USER]],
  // After those that begin like them.
  ["urn:scim:schemas:core:2.0", [CORE_USER, CORE_GROUP]],
  ["urn:scim:schemas:extension:enterprise:2.0", [ENTERPRISE_USER]],
]);

/** `schemas` of a resource: a list with the main schema and extensions that we have. */
export function bendSchemas(value: JsonValue | undefined, options: Options): JsonValue {
  const { schema, bending } = options;
  if (value === undefined || value === null) {
    bending.allows("schemas-missing", { attribute: "schemas", scimType: "invalidSyntax" });
    return [schema.urn];
  }
  const listed = listOf(value, bending);
  if (!listed) return value;
  const renewed = listed.map((urn) => renewedUrn(urn, options) ?? urn);
  const ours = new Map([schema.urn, ...schema.extensions.map(({ urn }) => urn)].map((urn) => [urn.toLowerCase(), urn]));
  const known = renewed.flatMap((urn) => ours.get(urn.toLowerCase()) ?? []);
  if (!known.includes(schema.urn)) {
    // A group is no user who says so by mistake: one of the two is wrong, and nobody knows which.
    if (renewed.some((urn) => isOtherType(urn, schema))) return value;
    // An extension without its core, or nothing at all: only where the profile says that the client means it so.
    if (!bending.allows("schemas-other", { attribute: "schemas" })) return value;
    return [schema.urn, ...known];
  }
  if (known.length === renewed.length) return known;
  return bending.allows("schemas-unknown", { attribute: "schemas" }) ? known : value;
}

/** The schemas of the types that clients write. */
const TYPES: readonly string[] = [CORE_USER, CORE_GROUP];

function isOtherType(urn: string, { urn: ours }: ResourceSchema): boolean {
  return TYPES.some((type) => type !== ours && type.toLowerCase() === urn.toLowerCase());
}

/** A list of texts, or a single text where the profile allows it. */
export function listOf(value: JsonValue, bending: Bending): string[] | undefined {
  if (typeof value === "string")
    return bending.allows("schemas-text", { attribute: "schemas", scimType: "invalidSyntax" }) ? [value] : undefined;
  return Array.isArray(value) && value.every((urn) => typeof urn === "string") ? value : undefined;
}

/** A name that begins with a URN of SCIM 1.1, with today's in its place; undefined when it does not. */
export function oldUrn(name: string, options: Options): string | undefined {
  const lower = name.toLowerCase();
  if (!lower.startsWith("urn:scim:")) return undefined;
  for (const old of OLD_URNS.keys()) {
    if (!lower.startsWith(old) || ![undefined, ":", "."].includes(lower[old.length])) continue;
    const renewed = renewedUrn(old, options);
    if (renewed !== undefined) return `${renewed}${name.slice(old.length)}`;
  }
  return undefined;
}

function renewedUrn(urn: string, { schema, bending }: Options): string | undefined {
  const ours = [schema.urn, ...schema.extensions.map((extension) => extension.urn)];
  const renewed = OLD_URNS.get(urn.toLowerCase())?.find((one) => ours.includes(one));
  return renewed !== undefined && bending.allows("old-urn") ? renewed : undefined;
}
