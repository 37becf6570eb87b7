import { AndFilter, FilterParser, GreaterThanEqualsFilter } from "ldapts";
import { Fault, type Cursor, type Page } from "../contract.ts";
import { readGroupsOfChangedLogins } from "./changed-logins.ts";
import { shapeFor } from "./entry.ts";
import { readMovedAlong } from "./moved-along.ts";
import type { RecordReader } from "./records.ts";
import { NOUNS, recordPages, type Seen } from "./record-pages.ts";
import type { Session } from "./session.ts";
import { cursorAfter, readWatermark, resumeFrom } from "./watermark.ts";

/** How a directory tells what changed. */
export interface Increments {
  /** Called before a full read begins; answers what makes the cursor once that has ended. */
  begin(reader: RecordReader): Promise<(seen: Seen) => Cursor | undefined>;
  /** Throws `expired` when only a full read will do. */
  readChanges(reader: RecordReader, since: Cursor): AsyncGenerator<Page, Cursor>;
}

/** By change sequence numbers (OpenLDAP) or, where there are none, by the time of change. */
export function incrementsByTime(session: Session, { now }: { now: () => Date }): Increments {
  return {
    begin: async (reader) => {
      const startedAt = now();
      const watermark = await readWatermark(session, reader.entries.base);
      return (seen) => cursorAfter({ kind: reader.kind, watermark, seen, startedAt, endedAt: now() });
    },
    readChanges: (reader, since) => readChanges(session, { reader, since, now }),
  };
}

async function* readChanges(
  session: Session,
  { reader, since, now }: { reader: RecordReader; since: Cursor; now: () => Date },
): AsyncGenerator<Page, Cursor> {
  const startedAt = now();
  const watermark = await readWatermark(session, reader.entries.base);
  const resumed = resumeFrom(since, { kind: reader.kind, watermark });
  if ("expired" in resumed) throw new Fault("expired", `${resumed.expired} A full read of ${NOUNS[reader.kind]} makes a new one.`);
  const byNumber = resumed.csn !== undefined && (await readsNumbers(session, reader));
  const changed = byNumber
    ? new GreaterThanEqualsFilter({ attribute: CHANGE_NUMBER, value: resumed.csn ?? "" })
    : new GreaterThanEqualsFilter({ attribute: session.settings.changedAttribute, value: resumed.at });
  const filter = new AndFilter({ filters: [FilterParser.parseString(reader.entries.filter), changed] });
  const what = `the read of changed ${NOUNS[reader.kind]}`;
  // First: what is read after it names these by their new names.
  const along = yield* readMovedAlong(session, { reader, changed });
  const seen: Seen = { missing: false };
  const read = yield* recordPages({ session, reader, seen, filter, what });
  const byLogin = yield* readGroupsOfChangedLogins(session, { reader, changed, what });
  const cursor = cursorAfter({ kind: reader.kind, watermark, seen, startedAt, endedAt: now(), from: resumed.at });
  if (!along.final || !read.final || !byLogin.final || cursor === undefined)
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
