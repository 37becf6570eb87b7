import type { SchemaAttribute, Target } from "../schema.ts";

export type Comparison = "eq" | "ne" | "co" | "sw" | "ew" | "gt" | "ge" | "lt" | "le";
export type FilterValue = string | number | boolean | null;

/**
 * A filter (RFC 7644 section 3.4.2.2), its names found in the schema and its values of the attribute's type.
 * Inside `some`, targets are the sub-attributes of one element.
 */
export type Filter =
  | { kind: "and" | "or"; filters: readonly Filter[] }
  | { kind: "not"; filter: Filter }
  | { kind: "present"; target: Target }
  | { kind: "compare"; target: Target; operator: Comparison; value: FilterValue }
  | { kind: "some"; target: Target; filter: Filter };

/** The attribute whose values a condition speaks of. */
export function leafOf(target: Target): SchemaAttribute {
  return target.sub ?? target.attribute;
}

/**
 * Whether the condition speaks of an element's `primary`: what does not say whether it is the primary one is not (RFC 7643 section 2.4,
 * "SHALL be assumed to be false"). An attribute of the organisation's own may have that name; it is no element's.
 */
export function isAssumedFalse(target: Target): boolean {
  const { name, type } = leafOf(target);
  return name === "primary" && type === "boolean" && (target.sub ? target.attribute.multiValued : target.extension === undefined);
}
