import { EqualityFilter, type Control } from "ldapts";
import { Fault, type SourceRecord } from "../contract.ts";
import { parseGuid } from "./active-directory/identifiers.ts";
import type { LdapClient } from "./client.ts";
import { isWithin, normaliseDn, parentOf } from "./dn.ts";
import { shapeFor, type Entry, type Shape } from "./entry.ts";
import { NOUNS, recordsOf } from "./record-pages.ts";
import type { RecordReader } from "./records.ts";
import type { Session } from "./session.ts";

/** One record by its native id; `outOfScope` where a read would not return it. */
export async function readOne(
  session: Session,
  { reader, nativeId }: { reader: RecordReader; nativeId: string },
): Promise<SourceRecord | "gone"> {
  const { shape, controls } = reader;
  const what = `the reading of one of the ${NOUNS[reader.kind]}`;
  const entry = await findById(session, { base: reader.entries.base, nativeId, shape, controls, what });
  if (entry === undefined) return "gone";
  const { records, problems = [] } = await recordsOf({ session, reader, entries: [entry], what });
  const [record] = records;
  if (record === undefined) throw new Fault("rejected", problems[0]?.message ?? `${entry.dn} could not be read.`);
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
  options: { base: string; nativeId: string; shape: Shape; what: string; controls?: readonly Control[] },
): Promise<Entry | undefined> {
  const filter = idFilter(session, options.nativeId);
  if (filter === undefined) return undefined;
  const suffix = await session.suffixOf(options.base);
  const { shape, what, controls = [] } = options;
  const search = { scope: "sub", filter, shape, what, controls } as const;
  return session.call(async (client: LdapClient) => {
    const found = await client.searchIfThere({ ...search, base: suffix });
    // An account that may not see the top may still see its own part.
    return (found ?? (await client.search({ ...search, base: options.base })))[0];
  });
}

/** Undefined when it is an id that no entry can have. */
export function idFilter({ settings }: Session, nativeId: string): EqualityFilter | undefined {
  const attribute = settings.nativeIdAttribute;
  if (attribute.toLowerCase() !== "objectguid") return new EqualityFilter({ attribute, value: nativeId });
  const value = parseGuid(nativeId);
  return value === undefined ? undefined : new EqualityFilter({ attribute, value });
}
