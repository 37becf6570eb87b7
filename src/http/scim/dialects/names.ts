import { findAttribute } from "../schema.ts";
import { extensionHolding, type BendOptions } from "./resource.ts";
import { oldUrn } from "./schemas.ts";

/** An attribute's name as its schema has it, found where it belongs: `department` in its extension, `/name/givenName` below `name`. */
export function placedName(head: string, options: BendOptions): string {
  const { schema, bending } = options;
  const renewed = oldUrn(head, options) ?? head;
  if (findAttribute(schema, renewed)) return renewed;
  if (renewed.startsWith("/")) {
    const pointed = renewed.slice(1).replaceAll("/", ".");
    const target = findAttribute(schema, pointed)?.attribute;
    if (target && bending.allows("path-pointer", { attribute: target.name })) return pointed;
  }
  const [first = "", ...rest] = renewed.split(".");
  const home = extensionHolding(schema, first);
  return home && bending.allows("extension-at-top", { attribute: home.attribute.name })
    ? [`${home.extension.urn}:${home.attribute.name}`, ...rest].join(".")
    : renewed;
}
