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
  const ask = (token: string | undefined) => {
    const asked = { ...query, pageToken: token, fields: fields === undefined ? undefined : `kind,nextPageToken,${items}(${fields})` };
    const answer = client.read({ purpose, path, kind, query: asked });
    // Awaited in the next round, unless the caller never comes back.
    answer.catch(() => undefined);
    return answer;
  };
  let pageToken: string | undefined;
  let restarted = false;
  let coming = ask(pageToken);
  for (;;) {
    client.signal.throwIfAborted();
    let page: Readonly<Record<string, unknown>>;
    try {
      page = await coming;
    } catch (error) {
      if (pageToken === undefined || restarted || !isWorn(error)) throw error;
      restarted = true;
      pageToken = undefined;
      tokens.clear();
      coming = ask(pageToken);
      continue;
    }
    pageToken = textOf(page["nextPageToken"]);
    const circle = pageToken !== undefined && tokens.has(pageToken);
    if (pageToken !== undefined && !circle) {
      tokens.add(pageToken);
      // The next page comes while the caller works on this one.
      coming = ask(pageToken);
    }
    yield objectsIn(page[items]);
    if (pageToken === undefined) return true;
    if (circle) return false;
  }
}

/** The Directory API refuses a worn token as it refuses any wrong parameter. */
function isWorn(error: unknown): boolean {
  return error instanceof Fault && (error.kind === "rejected" || error.kind === "gone");
}
