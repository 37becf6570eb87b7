import type { Filter } from "../filter/ast.ts";
import { elementScope, isPunctuation, readBrackets, readerOf } from "../filter/parse.ts";
import { findAttribute, type ResourceSchema, type SchemaAttribute } from "../schema.ts";

/** Where a patch operation works (RFC 7644 figure 7). Without `attribute` it is a whole extension. */
export interface PatchPath {
  extension?: string;
  attribute?: SchemaAttribute;
  /** Chooses elements of a list. */
  filter?: Filter;
  sub?: SchemaAttribute;
}

/** Reads a path, whatever its case. Undefined for an attribute that the schema does not know; throws `invalid` (invalidPath) for what is no path. */
export function readPath(schema: ResourceSchema, text: string): PatchPath | undefined {
  const reader = readerOf(text, "invalidPath");
  const first = reader.take();
  if (first?.kind !== "word") throw reader.failure("the name of an attribute is expected", first);
  const named = findAttribute(schema, first.text);
  if (!named) return undefined;
  const path: PatchPath = { ...named };
  if (isPunctuation(reader.peek(), "[")) {
    const { attribute } = named;
    if (!attribute?.multiValued || named.sub) throw reader.failure(`\`${first.text}\` is not a list of values to choose from`, first);
    path.filter = readBrackets(reader, { attribute, depth: 0 });
    const trailing = reader.take();
    if (trailing) {
      const found = trailing.kind === "word" && trailing.text.startsWith(".") ? elementScope(attribute)(trailing.text.slice(1)) : undefined;
      if (!found) throw reader.failure(`\`${trailing.text}\` is not a sub-attribute of ${attribute.name}`, trailing);
      path.sub = found.attribute;
    }
  }
  const rest = reader.peek();
  if (rest) throw reader.failure(`\`${rest.text}\` is not expected here`, rest);
  return path;
}
