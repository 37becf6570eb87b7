import { AndFilter, FilterParser, OrFilter, type EqualityFilter } from "ldapts";
import { Fault, type Page } from "../../contract.ts";
import { shapeFor, type Entry } from "../entry.ts";
import { idFilter } from "../find.ts";
import { readAllPages } from "../pages.ts";
import { NOUNS, recordsOf } from "../record-pages.ts";
import type { RecordReader } from "../records.ts";
import type { Session } from "../session.ts";
import { isRefusal } from "./choose-way.ts";
import { classOf, refuseRenamedUnits } from "./deleted.ts";
import { readDirSync } from "./dir-sync.ts";
import { groupsByToken, PEOPLE } from "./primary-members.ts";

/** DirSync sends of each object what changed; the objects are then read whole. */
const NAMES = ["objectGUID", "isDeleted", "name", "objectClass", "primaryGroupID"];
const IDS_A_SEARCH = 100;

interface Changed {
  ids: Set<string>;
  deleted: Set<string>;
  /** Names of units that were renamed or moved. */
  renamedUnits: string[];
  /** Primary groups of accounts that are new, or that were given another. */
  tokens: Set<string>;
}

/** Reads what changed since the cookie; answers the next one. */
export async function* changesByReplication(
  session: Session,
  { reader, cookie, ownRights }: { reader: RecordReader; cookie: Buffer; ownRights: boolean },
): AsyncGenerator<Page, Buffer> {
  const { changed, next } = await collect(session, { reader, cookie, ownRights });
  await refuseRenamedUnits(session, changed.renamedUnits);
  const read = (filters: readonly EqualityFilter[]) => readMatching(session, { reader, filters });
  const ids = [...changed.ids];
  const done = new Set<string>();
  for (let from = 0; from < ids.length; from += IDS_A_SEARCH) {
    const filters = ids.slice(from, from + IDS_A_SEARCH).flatMap((id) => idFilter(session, id) ?? []);
    const page = await read(filters);
    for (const { nativeId } of page.records) done.add(nativeId);
    if (page.records.length > 0 || page.problems) yield page;
  }
  const gone = [...changed.deleted].filter((id) => !done.has(id));
  if (gone.length > 0) yield { records: gone.map((nativeId) => ({ kind: reader.kind, nativeId, deleted: true, attributes: {} })) };
  if (reader.kind === "group" && changed.tokens.size > 0) {
    const page = await read(await groupsByToken(session, { base: reader.entries.base, tokens: changed.tokens }));
    const records = page.records.filter(({ nativeId }) => !done.has(nativeId));
    if (records.length > 0) yield { ...page, records };
  }
  return next;
}

async function collect(
  session: Session,
  { reader, cookie, ownRights }: { reader: RecordReader; cookie: Buffer; ownRights: boolean },
): Promise<{ changed: Changed; next: Buffer }> {
  const own = reader.shape.names.filter((name) => !NAMES.includes(name));
  const shape = shapeFor(NAMES, (name) => name === "objectClass", [...NAMES, ...own]);
  const filter = `(|${reader.entries.filter}(&(isDeleted=TRUE)(objectClass=${classOf(reader.kind)}))(objectClass=organizationalUnit)${reader.kind === "group" ? PEOPLE : ""})`;
  const what = `the read of changed ${NOUNS[reader.kind]} by DirSync`;
  const base = await session.suffixOf(reader.entries.base);
  const changed: Changed = { ids: new Set(), deleted: new Set(), renamedUnits: [], tokens: new Set() };
  const pages = readDirSync(session.call, { base, filter, shape, what, cookie, ownRights });
  try {
    for (;;) {
      const step = await pages.next();
      if (step.done) return { changed, next: step.value };
      for (const entry of step.value) sort(entry, changed);
    }
  } catch (error) {
    if (isRefusal(error)) throw new Fault("expired", `${error.message} A full read chooses anew how changes are found.`, { cause: error });
    throw error;
  }
}

function sort({ dn, values }: Entry, changed: Changed): void {
  const [id, isDeleted, name, classes, token] = values;
  if (typeof id !== "string") return;
  changed.ids.add(id);
  if (isDeleted === "TRUE") changed.deleted.add(id);
  // Of a new object everything is sent, its classes too.
  else if (name !== undefined && classes === undefined && /^OU=/i.test(dn)) changed.renamedUnits.push(dn);
  if (typeof token === "string" && isDeleted !== "TRUE") changed.tokens.add(token);
}

async function readMatching(
  session: Session,
  { reader, filters }: { reader: RecordReader; filters: readonly EqualityFilter[] },
): Promise<Page> {
  if (filters.length === 0) return { records: [] };
  const what = `the read of changed ${NOUNS[reader.kind]}`;
  const { shape, controls } = reader;
  const filter = new AndFilter({ filters: [FilterParser.parseString(reader.entries.filter), new OrFilter({ filters: [...filters] })] });
  const entries = await readAllPages(session, { ...reader.entries, filter, shape, controls, what, pageSize: IDS_A_SEARCH });
  return recordsOf({ session, reader, entries, what });
}
