import type { ResourceSchema } from "../schema.ts";
import type { Bending } from "./bending.ts";
import { bendFilter } from "./filter-text.ts";

const LONGEST = 16_384;

/** A query string whose filter is as the grammar has it; all the rest stays as it came. */
export function bendQuery(query: string, options: { schema: ResourceSchema; bending: Bending }): string {
  if (query.length > LONGEST) return query;
  return query
    .split("&")
    .map((pair) => {
      const at = pair.indexOf("=");
      if (at < 0 || pair.slice(0, at).toLowerCase() !== "filter") return pair;
      const given = pair.slice(at + 1);
      const kept = withPlusSigns(given, options.bending);
      const text = decoded(kept);
      if (text === undefined) return pair;
      const bent = bendFilter(text, options);
      return bent === text && kept === given ? pair : `${pair.slice(0, at)}=${encodeURIComponent(bent)}`;
    })
    .join("&");
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
