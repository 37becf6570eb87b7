import type { ResourceSchema, Target } from "../schema.ts";
import type { Filter } from "./ast.ts";
import { satisfies } from "./evaluate.ts";
import { parseFilterIn, resourceScope, type Scope } from "./parse.ts";

/**
 * A filter over resources of several types as one of them reads it: what only `others` have is there without a value
 * (RFC 7644 section 3.4.2.1). True or false where that alone decides. Throws as parseFilter does, for names that none has too.
 */
export function filterAcross(
  text: string,
  { schema, others }: { schema: ResourceSchema; others: readonly ResourceSchema[] },
): Filter | boolean {
  const scopes = [schema, ...others].map(resourceScope);
  const scope: Scope = (name) => scopes.map((find) => find(name)).find((target) => target !== undefined);
  return decided(parseFilterIn(scope, text), (target) => isOf(schema, target));
}

function isOf(schema: ResourceSchema, { extension, attribute }: Target): boolean {
  const holder = extension === undefined ? schema : schema.extensions.find(({ urn }) => urn === extension);
  return holder?.attributes.get(attribute.name.toLowerCase()) === attribute;
}

function decided(filter: Filter, isHere: (target: Target) => boolean): Filter | boolean {
  switch (filter.kind) {
    case "and":
    case "or": {
      const settles = filter.kind === "or";
      const parts = filter.filters.map((part) => decided(part, isHere));
      if (parts.includes(settles)) return settles;
      const open = parts.filter((part) => typeof part !== "boolean");
      const [only, second] = open;
      if (only === undefined) return !settles;
      return second === undefined ? only : { kind: filter.kind, filters: open };
    }
    case "not": {
      const inner = decided(filter.filter, isHere);
      return typeof inner === "boolean" ? !inner : { kind: "not", filter: inner };
    }
    default:
      return isHere(filter.target) ? filter : satisfies(filter, {});
  }
}
