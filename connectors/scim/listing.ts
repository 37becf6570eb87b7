import type { AttributeObject, Completeness, Kind } from "../contract.ts";
import type { ListPage, ScimClient } from "./client.ts";
import { isUsableId } from "./ids.ts";

/**
 * Every resource of a kind, page by page, by cursor where the application offers it. Complete is only what proves it:
 * as many different ids as the application said there are, the same number on the last page as on the first, and no page
 * that came again (some ignore startIndex, some begin anew past the end).
 */
export async function* listAll(client: ScimClient, { kind }: { kind: Kind }): AsyncGenerator<AttributeObject[], Completeness> {
  const { paging, pageSize } = await client.abilities();
  return yield* paging === "cursor" ? listByCursor(client, { kind, pageSize }) : listByIndex(client, { kind, pageSize });
}

interface ListingOptions {
  kind: Kind;
  pageSize: number;
}

async function* listByIndex(client: ScimClient, { kind, pageSize }: ListingOptions): AsyncGenerator<AttributeObject[], Completeness> {
  const seen = new Set<string>();
  let startIndex = 1;
  let first: number | undefined;
  for (;;) {
    const { resources, totalResults } = await client.list(kind, { startIndex, count: pageSize });
    first ??= totalResults;
    const fresh = freshOf(resources, seen);
    if (fresh.length > 0) yield fresh;
    const steady = totalResults !== undefined && totalResults === first && fresh.length === resources.length;
    if (steady && seen.size === totalResults) return { finalCursor: true, count: seen.size };
    if (!steady || resources.length === 0 || seen.size > (totalResults ?? 0)) return { finalCursor: false, count: seen.size };
    startIndex += resources.length;
  }
}

/** More empty pages in a row than anybody has a use for. */
const MOST_EMPTY_PAGES = 100;

/** RFC 9865: the page without a next cursor is the last. A total, which it need not give, must be right. */
async function* listByCursor(client: ScimClient, { kind, pageSize }: ListingOptions): AsyncGenerator<AttributeObject[], Completeness> {
  const seen = new Set<string>();
  const cursors = new Set<string>();
  let cursor = "";
  let empty = 0;
  for (;;) {
    const page: ListPage = await client.list(kind, { cursor, count: pageSize });
    const fresh = freshOf(page.resources, seen);
    if (fresh.length > 0) yield fresh;
    const repeated = fresh.length < page.resources.length;
    if (page.nextCursor === undefined) {
      const whole = page.totalResults === undefined || page.totalResults === seen.size;
      return { finalCursor: whole && !repeated, count: seen.size };
    }
    // A cursor that comes again would lead in a circle.
    empty = page.resources.length === 0 ? empty + 1 : 0;
    if (repeated || cursors.has(page.nextCursor) || empty > MOST_EMPTY_PAGES) return { finalCursor: false, count: seen.size };
    cursor = page.nextCursor;
    cursors.add(cursor);
  }
}

function freshOf(resources: readonly AttributeObject[], seen: Set<string>): AttributeObject[] {
  const fresh = resources.filter(({ id }) => isUsableId(id) && !seen.has(id));
  for (const { id } of fresh) seen.add(String(id));
  return fresh;
}
