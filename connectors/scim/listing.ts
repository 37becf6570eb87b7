import type { AttributeObject, Completeness, Kind } from "../contract.ts";
import type { ScimClient } from "./client.ts";

/**
 * Every resource of a kind, page by page. Complete is only what proves it: as many different ids as the application
 * said there are, the same number on the last page as on the first, and no page that came again (some ignore startIndex,
 * some begin anew past the end).
 */
export async function* listAll(
  client: ScimClient,
  { kind, pageSize }: { kind: Kind; pageSize: number },
): AsyncGenerator<AttributeObject[], Completeness> {
  const seen = new Set<string>();
  let startIndex = 1;
  let first: number | undefined;
  for (;;) {
    const { resources, totalResults } = await client.list(kind, { startIndex, count: pageSize });
    first ??= totalResults;
    const fresh = resources.filter(({ id }) => typeof id === "string" && !seen.has(id));
    for (const { id } of fresh) seen.add(String(id));
    if (fresh.length > 0) yield fresh;
    const steady = totalResults !== undefined && totalResults === first && fresh.length === resources.length;
    if (steady && seen.size === totalResults) return { finalCursor: true, count: seen.size };
    if (!steady || resources.length === 0 || seen.size > (totalResults ?? 0)) return { finalCursor: false, count: seen.size };
    startIndex += resources.length;
  }
}
