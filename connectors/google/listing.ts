import { Fault } from "../contract.ts";
import type { GoogleClient } from "./client.ts";
import { objectsIn, textOf } from "./json.ts";
import type { Purpose } from "./scopes.ts";

export interface ListingOptions {
  purpose: Purpose;
  path: string;
  query: Readonly<Record<string, string | number | undefined>>;
  /** What the answer calls itself. */
  kind: string;
  /** Where in the answer the resources stand. */
  items: string;
  /** What is asked of each resource (a partial response); absent = everything. */
  fields?: string;
}

/**
 * A listing page by page: resources as they are, one array a page, which may be empty. Returns true when Google said that there is
 * no more, false when its page tokens lead in a circle. A token that is no longer good (three days, or earlier) begins the listing
 * anew, once: then resources come again.
 */
export async function* listPages(
  client: GoogleClient,
  { purpose, path, query, kind, items, fields }: ListingOptions,
): AsyncGenerator<Readonly<Record<string, unknown>>[], boolean> {
  const tokens = new Set<string>();
  let pageToken: string | undefined;
  let restarted = false;
  for (;;) {
    client.signal.throwIfAborted();
    let page: Readonly<Record<string, unknown>>;
    try {
      page = await client.read({
        purpose,
        path,
        kind,
        query: { ...query, pageToken, fields: fields === undefined ? undefined : `kind,nextPageToken,${items}(${fields})` },
      });
    } catch (error) {
      if (pageToken === undefined || restarted || !isWorn(error)) throw error;
      restarted = true;
      pageToken = undefined;
      tokens.clear();
      continue;
    }
    yield objectsIn(page[items]);
    pageToken = textOf(page["nextPageToken"]);
    if (pageToken === undefined) return true;
    if (tokens.has(pageToken)) return false;
    tokens.add(pageToken);
  }
}

/** The Directory API refuses a worn token as it refuses any wrong parameter. */
function isWorn(error: unknown): boolean {
  return error instanceof Fault && (error.kind === "rejected" || error.kind === "gone");
}
