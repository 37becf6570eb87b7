import { AndFilter, EqualityFilter, FilterParser, GreaterThanEqualsFilter, type Filter } from "ldapts";
import {
  Fault,
  type Completeness,
  type Cursor,
  type Kind,
  type OpenOptions,
  type Page,
  type Source,
  type SourceRecord,
} from "../contract.ts";
import type { LdapClient } from "./client.ts";
import type { LdapSettings } from "./config.ts";
import { isWithin, normaliseDn, parentOf } from "./dn.ts";
import { shapeFor, type Entry, type Shape } from "./entry.ts";
import { addMemberUids, completeRanges, type Reading } from "./members.ts";
import { readPages } from "./pages.ts";
import { isProblem, recordReader, type RecordReader } from "./records.ts";
import { openSession, type Session } from "./session.ts";
import { cursorAfter, readWatermark, resumeFrom } from "./watermark.ts";

const NOUNS = { user: "users", group: "groups", unit: "units" } as const;

/** The directory as a source of people, groups and units: whichever the settings say where to find. */
export async function openLdapSource(options: OpenOptions<LdapSettings>): Promise<Source> {
  const { settings, now } = options;
  const session = openSession(options);
  const readers = new Map<Kind, RecordReader>();
  for (const kind of ["user", "group", "unit"] as const) {
    const reader = recordReader(settings, kind);
    if (reader !== undefined) readers.set(kind, reader);
  }
  const readerOf = (kind: Kind): RecordReader => {
    const reader = readers.get(kind);
    if (reader === undefined)
      throw new Fault("misconfigured", `The settings do not say where ${NOUNS[kind]} are: give ${NOUNS[kind]}.base.`);
    return reader;
  };
  // A wrong password or an unknown authority is told now, not in the middle of a run.
  try {
    await session.rootDse();
  } catch (error) {
    session.close();
    throw error;
  }

  return {
    kinds: [...readers.keys()],
    readAll: (kind) => readAll({ session, reader: readerOf(kind), options }),
    readChanges: (kind, since) => readChanges({ session, reader: readerOf(kind), since, now }),
    listIds: (kind) => listIds(session, { reader: readerOf(kind), options }),
    count: (kind) => countEntries(session, readerOf(kind)),
    readOne: (kind, nativeId) => readOne(session, { reader: readerOf(kind), nativeId }),
    close: async () => session.close(),
  };
}

async function* readAll({
  session,
  reader,
  options,
}: Reading & { options: OpenOptions<LdapSettings> }): AsyncGenerator<Page, Completeness> {
  const startedAt = options.now();
  const watermark = await readWatermark(session, reader.entries.base);
  const seen: Seen = { missing: false };
  const read = yield* records({ session, reader, seen, filter: reader.entries.filter, what: `the read of ${NOUNS[reader.kind]}` });
  const cursor = cursorAfter({ kind: reader.kind, watermark, seen, startedAt });
  if (read.nameless > 0)
    options.log.warn(
      { kind: reader.kind, entries: read.nameless },
      "ldap: entries without their native id; the read does not count as complete",
    );
  if (cursor === undefined)
    options.log.warn(
      { kind: reader.kind, attribute: session.settings.changedAttribute },
      "ldap: entries without a time of change; there are no incremental reads",
    );
  return {
    // An id that is hidden from us could be anybody's: then nothing proves that somebody is gone.
    finalCursor: read.final && read.nameless === 0,
    count: read.count,
    ...(cursor === undefined ? {} : { cursor }),
  };
}

async function* readChanges(options: Reading & { since: Cursor; now: () => Date }): AsyncGenerator<Page, Cursor> {
  const { session, reader, since } = options;
  const startedAt = options.now();
  const watermark = await readWatermark(session, reader.entries.base);
  const resumed = resumeFrom(since, { kind: reader.kind, watermark });
  if ("expired" in resumed) throw new Fault("expired", `${resumed.expired} A full read of ${NOUNS[reader.kind]} makes a new one.`);
  const byNumber = resumed.csn !== undefined && (await readsNumbers(session, reader));
  const changed = byNumber
    ? new GreaterThanEqualsFilter({ attribute: CHANGE_NUMBER, value: resumed.csn ?? "" })
    : new GreaterThanEqualsFilter({ attribute: session.settings.changedAttribute, value: resumed.at });
  const filter = new AndFilter({ filters: [FilterParser.parseString(reader.entries.filter), changed] });
  const what = `the read of changed ${NOUNS[reader.kind]}`;
  const seen: Seen = { missing: false };
  const read = yield* records({ session, reader, seen, filter, what });
  const cursor = cursorAfter({ kind: reader.kind, watermark, seen, startedAt });
  if (!read.final || cursor === undefined)
    throw new Fault("transient", `The directory ended ${what} without saying that it was complete. It will be read again.`);
  return cursor;
}

/** OpenLDAP's change sequence number: finer than a second, and usually indexed where modifyTimestamp is not. */
const CHANGE_NUMBER = "entryCSN";

/** Whether we may read it on entries: a filter on what is hidden matches nothing, which would look like no changes. */
async function readsNumbers(session: Session, reader: RecordReader): Promise<boolean> {
  if (session.settings.changedAttribute.toLowerCase() !== "modifytimestamp") return false;
  const shape = shapeFor([CHANGE_NUMBER], () => false);
  const { entries } = await session.call((client) =>
    client.page({ ...reader.entries, shape, pageSize: 1, what: `the reading of one of the ${NOUNS[reader.kind]}` }),
  );
  return entries.length > 0 && entries[0]?.values[0] !== undefined;
}

interface Seen {
  latest?: string;
  missing: boolean;
}

async function* records(
  options: Reading & { seen: Seen; filter: string | Filter; what: string },
): AsyncGenerator<Page, { final: boolean; count: number; nameless: number }> {
  const { session, reader, seen, what } = options;
  const { settings } = session;
  const changedSlot = reader.shape.slots.get(settings.changedAttribute.toLowerCase()) ?? -1;
  const pageSize = reader.kind === "group" ? settings.groupPageSize : settings.pageSize;
  let count = 0;
  let nameless = 0;
  const pages = readPages(session, { ...reader.entries, filter: options.filter, shape: reader.shape, what, pageSize });
  try {
    for (;;) {
      const step = await pages.next();
      if (step.done) return { final: step.value.final, count, nameless };
      const entries = step.value;
      await completeRanges({ session, reader, entries, what });
      const page: Page = { records: [] };
      for (const entry of entries) {
        const changed = entry.values[changedSlot];
        if (typeof changed !== "string") seen.missing = true;
        else if (seen.latest === undefined || changed > seen.latest) seen.latest = changed;
        const read = reader.read(entry);
        if (isProblem(read)) {
          nameless++;
          (page.problems ??= []).push(read);
        } else page.records.push(read);
      }
      count += page.records.length;
      await addMemberUids({ session, reader, entries, page });
      yield page;
    }
  } finally {
    await pages.return({ final: false });
  }
}

async function* listIds(
  session: Session,
  { reader, options }: { reader: RecordReader; options: OpenOptions<LdapSettings> },
): AsyncGenerator<readonly string[], Completeness> {
  const { settings } = session;
  const shape = shapeFor([settings.nativeIdAttribute], () => false);
  const what = `the listing of ${NOUNS[reader.kind]}`;
  let count = 0;
  let nameless = 0;
  const pages = readPages(session, { ...reader.entries, shape, what, pageSize: settings.pageSize });
  try {
    for (;;) {
      const step = await pages.next();
      if (step.done) {
        if (nameless > 0)
          options.log.warn(
            { kind: reader.kind, entries: nameless },
            "ldap: entries without their native id; the listing does not count as complete",
          );
        return { finalCursor: step.value.final && nameless === 0, count };
      }
      const ids: string[] = [];
      for (const entry of step.value) {
        const id = entry.values[0];
        if (typeof id === "string" && id !== "") ids.push(id);
        else nameless++;
      }
      count += ids.length;
      yield ids;
    }
  } finally {
    await pages.return({ final: false });
  }
}

async function countEntries(session: Session, reader: RecordReader): Promise<number> {
  const what = `the count of ${NOUNS[reader.kind]}`;
  let total = 0;
  const pages = readPages(session, { ...reader.entries, shape: shapeFor([], () => false), what, pageSize: session.settings.pageSize });
  for (;;) {
    const step = await pages.next();
    if (!step.done) total += step.value.length;
    else if (step.value.final) return total;
    else throw new Fault("transient", `The directory ended ${what} without saying that it was complete.`);
  }
}

async function readOne(session: Session, { reader, nativeId }: { reader: RecordReader; nativeId: string }): Promise<SourceRecord | "gone"> {
  const entry = await findById(session, {
    base: reader.entries.base,
    nativeId,
    shape: reader.shape,
    what: `the reading of one of the ${NOUNS[reader.kind]}`,
  });
  if (entry === undefined) return "gone";
  await completeRanges({ session, reader, entries: [entry], what: "the reading of its members" });
  const record = reader.read(entry);
  if (isProblem(record)) throw new Fault("rejected", record.message);
  await addMemberUids({ session, reader, entries: [entry], page: { records: [record] } });
  if (!(await isInScope(session, { reader, entry }))) record.outOfScope = true;
  return record;
}

/** Whether readAll would return an entry that we found by its id. */
async function isInScope(session: Session, { reader, entry }: { reader: RecordReader; entry: Entry }): Promise<boolean> {
  const base = normaliseDn(reader.entries.base);
  const name = normaliseDn(entry.dn);
  if (reader.entries.scope === "one" ? parentOf(name) !== base : !isWithin(name, base)) return false;
  const what = `the reading of one of the ${NOUNS[reader.kind]}`;
  const matching = await session.call((client) =>
    client.searchIfThere({ base: entry.dn, scope: "base", filter: reader.entries.filter, shape: shapeFor([], () => false), what }),
  );
  return matching !== undefined && matching.length > 0;
}

/** An entry by its native id, wherever in the directory it is now. */
export async function findById(
  session: Session,
  options: { base: string; nativeId: string; shape: Shape; what: string },
): Promise<Entry | undefined> {
  const suffix = await session.suffixOf(options.base);
  const filter = new EqualityFilter({ attribute: session.settings.nativeIdAttribute, value: options.nativeId });
  const search = { scope: "sub", filter, shape: options.shape, what: options.what } as const;
  return session.call(async (client: LdapClient) => {
    const found = await client.searchIfThere({ ...search, base: suffix });
    // An account that may not see the top may still see its own part.
    return (found ?? (await client.search({ ...search, base: options.base })))[0];
  });
}
