import { Fault } from "../contract.ts";
import type { HttpAnswer } from "../kit/http.ts";
import type { OktaClient } from "./client.ts";
import { linkTargets, pathWithin } from "./link.ts";

/** So many empty pages in a row are no slow listing any more. */
const EMPTY_PAGES = 1000;

/** An object as Okta sent it: nothing is known of it yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export interface Listing {
  path: string;
  query: Readonly<Record<string, string | number | undefined>> & { limit: number };
  /** For the sentence of a fault: "the listing of users". */
  what: string;
}

export interface ListingEnd {
  /** Okta named the page's own address and no next one. */
  final: boolean;
  /** Okta's clock at the first page; undefined when it does not tell. */
  startedAt?: Date;
}

/**
 * Reads a listing page by page by its Link headers alone, asking for the next page while the caller works on this one.
 * A page without a next link is the end only when its own link is there, as in all of Okta's listings; a full one is asked for
 * twice, since a lost header looks just like the end.
 */
export async function* readPages(client: OktaClient, { path, query, what }: Listing): AsyncGenerator<readonly JsonObject[], ListingEnd> {
  const ask = (next: string) => client.call({ method: "GET", path: next, what });
  const seen = new Set<string>();
  let empty = 0;
  let answer = await client.call({ method: "GET", path, query, what });
  const told = Date.parse(String(answer.headers["date"] ?? ""));
  const startedAt = Number.isNaN(told) ? {} : { startedAt: new Date(told) };
  let current: string | undefined;
  for (;;) {
    const page = listOf(answer, what);
    let links = linkTargets(answer.headers["link"]);
    if (links.get("next") === undefined && page.length >= query.limit) {
      const again = current === undefined ? await client.call({ method: "GET", path, query, what }) : await ask(current);
      links = linkTargets(again.headers["link"]);
    }
    const link = links.get("next");
    const next = link === undefined ? undefined : pathWithin(link, client);
    if (next !== undefined && seen.has(next)) throw new Fault("transient", `Okta leads in a circle in ${what}. It will be read again.`);
    if (next !== undefined) seen.add(next);
    empty = page.length === 0 ? empty + 1 : 0;
    if (empty > EMPTY_PAGES) throw new Fault("transient", `Okta sends empty pages without end in ${what}.`);
    const coming = next === undefined ? undefined : ask(next);
    // Awaited in the next round; the caller may take its time, or never come back.
    coming?.catch(() => undefined);
    if (page.length > 0) yield page;
    if (coming === undefined) return { final: links.has("self"), ...startedAt };
    current = next;
    answer = await positioned(coming, what);
  }
}

/** A position that Okta no longer knows ends this read, and says nothing of what is listed. */
async function positioned(answer: Promise<HttpAnswer>, what: string): Promise<HttpAnswer> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Fault && error.kind === "gone")
      throw new Fault("transient", `Okta no longer knows the position in ${what}. It will be read again.`, { cause: error });
    throw error;
  }
}

function listOf({ body }: HttpAnswer, what: string): readonly JsonObject[] {
  if (Array.isArray(body) && body.every(isJsonObject)) return body;
  throw new Fault("transient", `Okta answered ${what} with something that is no list. It will be read again.`);
}
