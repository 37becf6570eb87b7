import type { JsonObject, JsonValue } from "../json.ts";
import { findAttribute, type ResourceSchema } from "../schema.ts";
import type { Bending } from "./bending.ts";
import { bendFilter } from "./filter-text.ts";
import { placedName } from "./names.ts";

const LONGEST = 16_384;

interface Options {
  schema: ResourceSchema;
  bending: Bending;
  /** See bendFilter. */
  keepsNames?: boolean;
}

/** A query string whose filter is as the grammar has it, and whose attributes are named; all the rest stays as it came. */
export function bendQuery(query: string, options: Options): string {
  if (query.length > LONGEST) return query;
  return query
    .split("&")
    .map((pair) => {
      const at = pair.indexOf("=");
      if (at < 0) return pair;
      const [name, given] = [pair.slice(0, at), pair.slice(at + 1)];
      const bent = bendParameter({ name: name.toLowerCase(), given }, options);
      return bent === undefined ? pair : `${name}=${encodeURIComponent(bent)}`;
    })
    .join("&");
}

/** What a parameter says in the form of the RFCs; undefined when it is so already. */
function bendParameter({ name, given }: { name: string; given: string }, options: Options): string | undefined {
  if (name === "filter") {
    const kept = withPlusSigns(given, options.bending);
    const text = decoded(kept);
    if (text === undefined) return undefined;
    const bent = bendFilter(text, options);
    return bent === text && kept === given ? undefined : bent;
  }
  if (!NAMING.has(name)) return undefined;
  const text = decoded(given);
  const bent = text === undefined ? undefined : bendNames(text, options);
  return bent === text ? undefined : bent;
}

/** The body of a search (RFC 7644 section 3.4.3) in the same form. */
export function bendSearch(body: JsonObject, options: Options): JsonObject {
  const bend = (name: string, value: JsonValue): JsonValue => {
    if (Array.isArray(value)) return NAMING.has(name) ? value.map((one) => bend(name, one)) : value;
    if (typeof value !== "string") return value;
    if (name === "filter") return bendFilter(value, options);
    return NAMING.has(name) && value.length <= LONGEST ? bendNames(value, options) : value;
  };
  return Object.fromEntries(Object.entries(body).map(([name, value]) => [name, bend(name.toLowerCase(), value)]));
}

/** Parameters that name attributes, in lower case. */
const NAMING: ReadonlySet<string> = new Set(["attributes", "excludedattributes", "sortby"]);

/** Names with commas between, each found where it belongs, as in a filter: `department` in its extension (RFC 7644 section 3.10). */
function bendNames(text: string, options: Options): string {
  const names = text.includes("[") ? withoutFilters(text, options) : text;
  if (options.keepsNames) return names;
  return names
    .split(",")
    .map((name) => placedName(name.trim(), options))
    .join(",");
}

/** Begins where a name does and ends at another bracket: no letter is read from many beginnings. */
const VALUE_PATH = /(?<![\w:.$-])([\w:.$-]+)\[(?:[^[\]"]|"(?:[^"\\]|\\.)*")*\]/g;

/** `emails[type eq "work"].value` among the attributes that are asked for: the attribute as a whole, since a name chooses no elements. */
function withoutFilters(names: string, { schema, bending }: Options): string {
  return names.replaceAll(VALUE_PATH, (path, name: string) => {
    const attribute = findAttribute(schema, name)?.attribute;
    return attribute && bending.allows("filter-in-attributes", { attribute: attribute.name }) ? name : path;
  });
}

/**
 * A plus sign means a space in a form; in a filter whose spaces are encoded otherwise it means itself, as in
 * `userName%20eq%20%22ann+test@example.com%22`.
 */
function withPlusSigns(value: string, bending: Bending): string {
  if (!value.includes("+") || !/%20| /.test(value) || !bending.allows("plus-sign")) return value;
  return value.replaceAll("+", "%2B");
}

function decoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value.replaceAll("+", " "));
  } catch {
    // Not ours to guess: the query parser takes it as it is.
    return undefined;
  }
}
