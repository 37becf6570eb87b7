import { AndFilter, FilterParser, type Filter } from "ldapts";
import { Fault, type Page } from "../contract.ts";
import { normaliseDn, parentOf } from "./dn.ts";
import { shapeFor } from "./entry.ts";
import { readAllPages } from "./pages.ts";
import { NOUNS, recordPages } from "./record-pages.ts";
import type { RecordReader } from "./records.ts";
import type { Session } from "./session.ts";

/** What others stand below. Not every server answers the first (RFC 3673 knows no such attribute), and some rights hide it. */
const CONTAINERS = "(|(hasSubordinates=TRUE)(objectClass=organizationalUnit)(objectClass=organization))";

/** Of more than these the base is read at once: each is a search of its own. */
const MOST_CONTAINERS = 20;

/**
 * Reads all that stands below an entry that changed. To be renamed or moved is one way to change, and what stands below goes
 * along without a word of its own: its time of change stays as it was, while groups and managers name it anew.
 * @param changed finds the entries that changed
 */
export async function* readMovedAlong(
  session: Session,
  { reader, changed }: { reader: RecordReader; changed: Filter },
): AsyncGenerator<Page, { final: boolean }> {
  // Directly below the base there is nothing that could go along; and a base that is renamed is not there any more.
  if (reader.entries.scope === "one") return { final: true };
  let final = true;
  for (const base of await changedContainers(session, { base: reader.entries.base, changed })) {
    const { entries } = reader;
    const what = `the read of ${NOUNS[reader.kind]} below ${base}`;
    const below = { ...reader, entries: { ...entries, base } };
    try {
      const read = yield* recordPages({ session, reader: below, seen: { missing: false }, filter: entries.filter, what });
      final &&= read.final;
    } catch (error) {
      if (await isThere(session, base)) throw error;
      throw new Fault("transient", `${base} was renamed or removed during ${what}. It will be read again.`, { cause: error });
    }
  }
  return { final };
}

/** Where to read: names of changed entries below the base that others may stand below, without those below another of them. */
async function changedContainers(session: Session, { base, changed }: { base: string; changed: Filter }): Promise<string[]> {
  const found = await readAllPages(session, {
    base,
    scope: "sub",
    filter: new AndFilter({ filters: [FilterParser.parseString(CONTAINERS), changed] }),
    shape: shapeFor([], () => false),
    what: "the read of changed units",
    pageSize: session.settings.pageSize,
  });
  const names = new Map(found.map(({ dn }) => [normaliseDn(dn), dn]));
  names.delete(normaliseDn(base));
  const highest = [...names].filter(([name]) => !standsBelow(name, names)).map(([, dn]) => dn);
  return highest.length > MOST_CONTAINERS ? [base] : highest;
}

function standsBelow(name: string, names: ReadonlyMap<string, string>): boolean {
  for (let above = parentOf(name); above !== undefined; above = parentOf(above)) if (names.has(above)) return true;
  return false;
}

async function isThere(session: Session, base: string): Promise<boolean> {
  const search = { base, scope: "base", filter: "(objectClass=*)", shape: shapeFor([], () => false), what: "the look for a unit" } as const;
  return (await session.call((client) => client.searchIfThere(search))) !== undefined;
}
