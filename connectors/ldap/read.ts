import { Fault, type Completeness, type Kind, type OpenOptions, type Page, type Source } from "../contract.ts";
import { activeDirectoryIncrements } from "./active-directory/increments.ts";
import type { LdapSettings } from "./config.ts";
import { shapeFor } from "./entry.ts";
import { readOne } from "./find.ts";
import { incrementsByTime, type Increments } from "./increments.ts";
import { readPages } from "./pages.ts";
import { NOUNS, recordPages, type Seen } from "./record-pages.ts";
import { recordReader, type RecordReader } from "./records.ts";
import { openDirectorySession, type Session } from "./session.ts";

/** The directory as a source of people, groups and units: whichever the settings say where to find. */
export async function openLdapSource(options: OpenOptions<LdapSettings>): Promise<Source> {
  const session = await openDirectorySession(options);
  const { settings } = session;
  const readers = new Map<Kind, RecordReader>();
  for (const kind of ["unit", "user", "group"] as const) {
    const reader = recordReader(settings, kind);
    if (reader !== undefined) readers.set(kind, reader);
  }
  const readerOf = (kind: Kind): RecordReader => {
    const reader = readers.get(kind);
    if (reader === undefined)
      throw new Fault("misconfigured", `The settings do not say where ${NOUNS[kind]} are: give ${NOUNS[kind]}.base.`);
    return reader;
  };
  const increments =
    settings.flavour === "activeDirectory" ? activeDirectoryIncrements(session, options) : incrementsByTime(session, options);

  return {
    kinds: [...readers.keys()],
    readAll: (kind) => readAll({ session, reader: readerOf(kind), options, increments }),
    readChanges: (kind, since) => increments.readChanges(readerOf(kind), since),
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
  increments,
}: {
  session: Session;
  reader: RecordReader;
  options: OpenOptions<LdapSettings>;
  increments: Increments;
}): AsyncGenerator<Page, Completeness> {
  const cursorAfter = await increments.begin(reader);
  const seen: Seen = { missing: false };
  const read = yield* recordPages({ session, reader, seen, filter: reader.entries.filter, what: `the read of ${NOUNS[reader.kind]}` });
  const cursor = cursorAfter(seen);
  if (read.nameless > 0)
    options.log.warn(
      { kind: reader.kind, entries: read.nameless },
      "ldap: entries without their native id; the read does not count as complete",
    );
  if (cursor === undefined)
    options.log.warn({ kind: reader.kind }, "ldap: the directory does not tell when its entries changed; there are no incremental reads");
  return {
    // An id that is hidden from us could be anybody's: then nothing proves that somebody is gone.
    finalCursor: read.final && read.nameless === 0,
    count: read.count,
    ...(cursor === undefined ? {} : { cursor }),
  };
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
