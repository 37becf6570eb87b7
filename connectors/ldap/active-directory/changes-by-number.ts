import { AndFilter, FilterParser, OrFilter, type Filter } from "ldapts";
import { Fault, type Page } from "../../contract.ts";
import { shapeFor } from "../entry.ts";
import { readAllPages } from "../pages.ts";
import { NOUNS, recordPages, recordsOf } from "../record-pages.ts";
import type { RecordReader } from "../records.ts";
import type { Session } from "../session.ts";
import { deletedAfter, refuseRenamedUnits } from "./deleted.ts";
import { groupsByToken, PEOPLE } from "./primary-members.ts";

const PAGE_SIZE = 500;

/** Reads what this domain controller changed after an update sequence number (MS-ADTS 3.1.1.1.9). */
export async function* changesByNumber(
  session: Session,
  { reader, after }: { reader: RecordReader; after: bigint },
): AsyncGenerator<Page, void> {
  const { base } = reader.entries;
  await refuseRenamedUnits(session, await unitsChangedAfter(session, { base, after }));
  const what = `the read of changed ${NOUNS[reader.kind]}`;
  const changed = `(uSNChanged>=${after + 1n})`;
  const filter = both(reader.entries.filter, FilterParser.parseString(changed));
  const read = yield* recordPages({ session, reader, seen: { missing: false }, filter, what });
  if (!read.final) throw new Fault("transient", `The directory ended ${what} without saying that it was complete. It will be read again.`);
  const gone = await deletedAfter(session, { base, kind: reader.kind, after });
  if (gone.length > 0) yield { records: gone.map((nativeId) => ({ kind: reader.kind, nativeId, deleted: true, attributes: {} })) };
  if (reader.kind === "group") {
    const page = await groupsOfNewAccounts(session, { reader, after, what });
    if (page.records.length > 0) yield page;
  }
}

/**
 * Units that were there before and have changed. The number does not say how: to be renamed is one way, and the others
 * are rare.
 */
async function unitsChangedAfter(session: Session, { base, after }: { base: string; after: bigint }): Promise<string[]> {
  const entries = await readAllPages(session, {
    base: await session.suffixOf(base),
    scope: "sub",
    filter: `(&(objectClass=organizationalUnit)(uSNChanged>=${after + 1n})(!(uSNCreated>=${after + 1n})))`,
    shape: shapeFor([], () => false),
    what: "the read of changed units",
    pageSize: PAGE_SIZE,
  });
  return entries.map(({ dn }) => dn);
}

/** A new account changes its primary group without touching it; who is given another one is noted on both. */
async function groupsOfNewAccounts(
  session: Session,
  { reader, after, what }: { reader: RecordReader; after: bigint; what: string },
): Promise<Page> {
  const { base } = reader.entries;
  const accounts = await readAllPages(session, {
    base: await session.suffixOf(base),
    scope: "sub",
    filter: `(&${PEOPLE}(uSNCreated>=${after + 1n}))`,
    shape: shapeFor(["primaryGroupID"], () => false),
    what: "the read of new accounts",
    pageSize: PAGE_SIZE,
  });
  const tokens = new Set(accounts.flatMap(({ values }) => (typeof values[0] === "string" ? [values[0]] : [])));
  const filters = await groupsByToken(session, { base, tokens });
  if (filters.length === 0) return { records: [] };
  const { shape, controls } = reader;
  const filter = both(reader.entries.filter, new OrFilter({ filters: [...filters] }));
  const entries = await readAllPages(session, { ...reader.entries, filter, shape, controls, what, pageSize: PAGE_SIZE });
  return recordsOf({ session, reader, entries, what });
}

function both(filter: string, other: Filter): Filter {
  return new AndFilter({ filters: [FilterParser.parseString(filter), other] });
}
