import { GoogleError, invalid } from "./errors.ts";
import type { FaultName } from "./faults.ts";

const THREE_DAYS_MS = 3 * 86_400_000;

export interface PageOptions<T> {
  /** In the order of the listing. */
  all: readonly T[];
  keyOf: (item: T) => string;
  query: URLSearchParams;
  /** Names the listing, so that its tokens are good for nothing else. */
  listing: string;
  defaultSize: number;
  largestSize: number;
  now: Date;
  serial: number;
  fault: FaultName | undefined;
}

interface Token {
  listing: string;
  /** The key of the last item given. */
  after: string | null;
  at: number;
  serial: number;
}

/** One page after the one that the token names, by key: what comes or goes meanwhile shifts nothing. */
export function pageOf<T>(options: PageOptions<T>): { items: T[]; nextPageToken?: string } {
  const { all, keyOf, query, listing, now, serial, fault } = options;
  const size = sizeOf(options);
  const given = query.get("pageToken");
  const token = given === null ? undefined : read(given);
  if (given !== null && (token === undefined || token.listing !== listing || now.getTime() - token.at > THREE_DAYS_MS))
    throw invalid("pageToken");
  const after = token?.after ?? null;
  const from = after === null ? 0 : firstAfter(all, keyOf, after);
  const items = all.slice(from, from + size);
  const last = items.at(-1);
  const next = (key: string | null, number = serial) => ({
    nextPageToken: Buffer.from(JSON.stringify({ listing, after: key, at: now.getTime(), serial: number } satisfies Token)).toString(
      "base64url",
    ),
  });
  if (fault === "empty") return { items: [], ...next(after) };
  if (fault === "repeated") return { items, ...next(after) };
  if (fault === "circle") return { items, ...(given === null ? next(after, 0) : { nextPageToken: given }) };
  const more = last !== undefined && from + size < all.length;
  return { items, ...(more && fault !== "unlinked" ? next(keyOf(last)) : {}) };
}

function sizeOf<T>({ query, defaultSize, largestSize }: PageOptions<T>): number {
  const text = query.get("maxResults");
  if (text === null) return defaultSize;
  const size = Number(text);
  if (!Number.isInteger(size) || size < 1) throw new GoogleError(400, "invalid", "Invalid Input: maxResults");
  return Math.min(size, largestSize);
}

/** Binary search: a hundred thousand users have two hundred pages. */
function firstAfter<T>(all: readonly T[], keyOf: (item: T) => string, after: string): number {
  let low = 0;
  let high = all.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keyOf(all[middle] as T) <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}

function read(text: string): Token | undefined {
  try {
    return JSON.parse(Buffer.from(text, "base64url").toString()) as Token;
  } catch {
    // Whoever made it up gets the same answer as with an old one.
    return undefined;
  }
}
