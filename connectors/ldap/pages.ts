import { Fault } from "../contract.ts";
import type { EntriesPage, SearchOptions } from "./client.ts";
import type { Entry } from "./entry.ts";
import type { Session } from "./session.ts";

/** So many empty pages in a row are no slow search any more. */
const EMPTY_PAGES = 1000;

/**
 * Reads a search page by page over a connection of its own (RFC 2696), asking for the next page while the caller works on
 * this one. `final` is true only when the directory answered success with an empty cookie: an empty page that has a cookie
 * is not the end, an answer without a paging control proves nothing, and any other result throws.
 */
export async function* readPages(
  session: Session,
  search: SearchOptions & { pageSize: number },
): AsyncGenerator<Entry[], { final: boolean }> {
  const client = await session.dedicated();
  try {
    let next = client.page(search);
    let empty = 0;
    for (;;) {
      const page = await next;
      refuseReferences(session, { page, search });
      const more = page.cookie !== undefined && page.cookie.length > 0;
      if (more) {
        next = client.page({ ...search, cookie: page.cookie });
        // Awaited in the next round; the caller may take its time, or never come back.
        next.catch(() => undefined);
      }
      empty = page.entries.length === 0 ? empty + 1 : 0;
      if (empty > EMPTY_PAGES) throw new Fault("transient", `The directory sends empty pages without end in ${search.what}.`);
      if (page.entries.length > 0) yield page.entries;
      if (!more) return { final: page.cookie !== undefined };
    }
  } finally {
    client.close();
  }
}

/**
 * The same for what is needed at once: all entries, read over the session's connection. Throws where the directory did not
 * say that they are all.
 */
export async function readAllPages(session: Session, search: SearchOptions & { pageSize: number }): Promise<Entry[]> {
  return session.call(async (client) => {
    const entries: Entry[] = [];
    for (let cookie: Buffer | undefined; ;) {
      const page = await client.page({ ...search, cookie });
      refuseReferences(session, { page, search });
      for (const entry of page.entries) entries.push(entry);
      if (page.cookie === undefined)
        throw new Fault("transient", `The directory ended ${search.what} without saying that it was complete.`);
      if (page.cookie.length === 0) return entries;
      cookie = page.cookie;
    }
  });
}

/** Partitions of every forest that lie below a domain by name and hold no people (MS-ADTS 6.1.1.1). */
const WITHOUT_PEOPLE = /^ldaps?:\/\/[^/]*\/(?:CN=Configuration|DC=DomainDnsZones|DC=ForestDnsZones),/i;

function refuseReferences(session: Session, { page, search }: { page: EntriesPage; search: SearchOptions }): void {
  const { flavour, referrals } = session.settings;
  const reference = page.references.find((each) => flavour !== "activeDirectory" || !WITHOUT_PEOPLE.test(each));
  if (reference === undefined || referrals === "ignore") return;
  throw new Fault(
    "misconfigured",
    `A part of ${search.base} is on another server (${reference}), so ${search.what} is not complete. Connect to a server that holds it all, or set referrals: ignore if that part is not wanted.`,
  );
}
