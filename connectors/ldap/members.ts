import { EqualityFilter, OrFilter } from "ldapts";
import { Fault, type Page } from "../contract.ts";
import { normaliseDn } from "./dn.ts";
import { shapeFor, type Entry } from "./entry.ts";
import type { RecordReader } from "./records.ts";
import type { Session } from "./session.ts";

export interface Reading {
  session: Session;
  reader: RecordReader;
}

const LOGINS_A_SEARCH = 200;

/** Fetches the rest of lists that the server sent in part. */
export async function completeRanges({
  session,
  entries,
  reader,
  what,
}: Reading & { entries: readonly Entry[]; what: string }): Promise<void> {
  for (const entry of entries) {
    for (const range of entry.ranges ?? []) await completeRange({ session, reader, entry, ...range, what });
    delete entry.ranges;
  }
}

async function completeRange(options: Reading & { entry: Entry; slot: number; from: number; what: string }): Promise<void> {
  const { session, reader, entry, slot, what } = options;
  const values = entry.values[slot];
  if (!Array.isArray(values)) return;
  const name = reader.shape.names[slot] ?? "";
  // The same controls as for the first of them: in Active Directory members come with their ids only when asked for so each time.
  const { controls } = reader;
  for (let from: number | undefined = options.from; from !== undefined;) {
    const shape = shapeFor([name], () => true, [`${name};range=${from}-*`]);
    const search = { base: entry.dn, scope: "base", filter: "(objectClass=*)", shape, controls, what } as const;
    // Gone or renamed since its page was read: that is no wrong setting.
    const [part] = (await session.call((client) => client.searchIfThere(search))) ?? [];
    const more = part?.values[0];
    if (!Array.isArray(more) || more.length === 0)
      throw new Fault(
        "transient",
        `The directory did not send the values of ${name} of ${entry.dn} from number ${from} on. It will be read again.`,
      );
    for (const value of more) values.push(value);
    from = part?.ranges?.[0]?.from;
  }
}

/** memberUid names members by their login: one search per so many names finds their DNs. Names that nobody has are left out. */
export async function addMemberUids({
  session,
  reader,
  entries,
  page,
}: Reading & { entries: readonly Entry[]; page: Page }): Promise<void> {
  if (reader.kind !== "group") return;
  const named = entries.filter((entry) => reader.memberUids(entry).length > 0);
  const { users } = session.settings;
  if (named.length === 0 || users === undefined) return;
  const logins = [...new Set(named.flatMap((entry) => reader.memberUids(entry)))];
  const attribute = session.settings.memberUidAttribute;
  const shape = shapeFor([attribute], () => true);
  const references = new Map<string, string>();
  for (let from = 0; from < logins.length; from += LOGINS_A_SEARCH) {
    const filters = logins.slice(from, from + LOGINS_A_SEARCH).map((value) => new EqualityFilter({ attribute, value }));
    const found = await session.call((client) =>
      client.search({ ...users, filter: new OrFilter({ filters }), shape, what: "the look-up of memberUid" }),
    );
    for (const entry of found) {
      const reference = normaliseDn(entry.dn);
      const values = entry.values[0];
      if (Array.isArray(values)) for (const login of values) references.set(login.toLowerCase(), reference);
    }
  }
  const byReference = new Map(named.map((entry) => [normaliseDn(entry.dn), reader.memberUids(entry)]));
  for (const record of page.records) {
    const uids = byReference.get(record.reference ?? "");
    if (uids === undefined || record.members === undefined || !("set" in record.members)) continue;
    const members = new Set(record.members.set);
    for (const uid of uids) {
      const reference = references.get(uid.toLowerCase());
      if (reference !== undefined) members.add(reference);
    }
    record.members = { set: [...members] };
  }
}
