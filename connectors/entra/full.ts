import type { Completeness, Kind, Page, RecordProblem, SourceRecord } from "../contract.ts";
import { cursorOf, deltaPages, notExpired, type Tracked } from "./delta.ts";
import { gather, type Gathered } from "./gather.ts";
import { isObject, type WireObject } from "./json.ts";
import { findMany, listMembers, readOne } from "./lookup.ts";
import type { FoundPlaces } from "./places.ts";
import { UNIT_MEMBERS, type Reading } from "./reading.ts";
import { groupRecord, isId, isProblem, unitRecord, userRecord } from "./records.ts";

/** Records a page of what is gathered before it is given. */
export const PAGE = 100;

/** Reads a kind in full by the first round of its delta query, so that the end of the read is where the next increment begins. */
export async function* readAll(reading: Reading, kind: Kind): AsyncGenerator<Page, Completeness> {
  try {
    if (kind === "user") return yield* readUsers(reading);
    if (kind === "group") return yield* readGroups(reading);
    return yield* reading.settings.units === "administrativeUnits" ? readAdministrativeUnits(reading) : readPlaces(reading);
  } catch (error) {
    throw notExpired(error);
  }
}

async function* readUsers(reading: Reading): AsyncGenerator<Page, Completeness> {
  const { client, settings } = reading;
  const tracked = reading.tracked("user");
  const units = settings.units === "administrativeUnits" ? await memberships(reading) : undefined;
  const places = reading.places.begin(undefined);
  const read = (object: WireObject) => {
    places.note(object);
    return userRecord(object, { settings, ...(units ? { administrativeUnits: units.byMember.get(String(object["id"])) ?? [] } : {}) });
  };
  const present = new Set<string>();
  const doubtful = new Set<string>();
  const pages = deltaPages(client, { tracked });
  for (;;) {
    const step = await pages.next();
    if (step.done) {
      const settled =
        doubtful.size > 0 ? await settle(reading, { kind: "user", ids: [...doubtful], read: async (object) => read(object) }) : undefined;
      for (const id of settled?.gone ?? []) present.delete(id);
      for (const id of settled?.there ?? []) present.add(id);
      if (settled) yield settled.page;
      places.end(step.value);
      const position = { link: step.value, again: [], ...(units ? { unitsLink: units.link } : {}) };
      return { finalCursor: true, count: present.size, cursor: cursorOf("user", { tracked, position }) };
    }
    const page = emptyPage();
    for (const object of step.value.objects) {
      const id = String(object["id"]);
      // Listed twice, or listed and removed: which is newer can't be told from the order.
      if (present.has(id)) doubtful.add(id);
      if (isObject(object["@removed"])) {
        doubtful.add(id);
        continue;
      }
      const record = read(object);
      put(page, record);
      if (!isProblem(record)) present.add(id);
    }
    yield page;
  }
}

async function* readGroups(reading: Reading): AsyncGenerator<Page, Completeness> {
  const { settings } = reading;
  const tracked = reading.tracked("group");
  const { objects, link } = await gather(reading.client, { tracked });
  const doubtful = [...objects].flatMap(([id, { contradictory, removed }]) => (contradictory || removed ? [id] : []));
  const settled = await settle(reading, { kind: "group", ids: doubtful, read: (object) => readGroup(reading, object) });
  let count = settled.there.length;
  for (const id of doubtful) objects.delete(id);
  yield settled.page;
  for (const page of paged([...objects.values()])) {
    const records = emptyPage();
    for (const { properties, members } of page) put(records, groupRecord(properties, { settings, members: standing(members) }));
    count += records.records.length;
    yield records;
  }
  return { finalCursor: true, count, cursor: cursorOf("group", { tracked, position: { link, again: [] } }) };
}

/** A group as it stands, members included. */
export async function readGroup(reading: Reading, object: WireObject): Promise<SourceRecord | RecordProblem> {
  return groupRecord(object, { settings: reading.settings, members: await listMembers(reading, String(object["id"])) });
}

async function* readAdministrativeUnits(reading: Reading): AsyncGenerator<Page, Completeness> {
  const tracked = reading.tracked("unit");
  const { objects, link } = await gather(reading.client, { tracked });
  const doubtful = [...objects].flatMap(([id, { contradictory, removed }]) => (contradictory || removed ? [id] : []));
  const settled = await settle(reading, { kind: "unit", ids: doubtful, read: async (object) => unitRecord(object) });
  for (const id of doubtful) objects.delete(id);
  const { page } = settled;
  for (const { properties } of objects.values()) put(page, unitRecord(properties));
  yield page;
  return { finalCursor: true, count: page.records.length, cursor: cursorOf("unit", { tracked, position: { link, again: [] } }) };
}

async function* readPlaces(reading: Reading): AsyncGenerator<Page, Completeness> {
  const tracked = reading.tracked("unit");
  const { units, link } = reading.places.take(undefined) ?? (await findPlaces(reading, tracked));
  for (const records of paged(units)) yield { records };
  return { finalCursor: true, count: units.length, cursor: cursorOf("unit", { tracked, position: { link, again: [] } }) };
}

/** Departments and companies, where nobody has just read the people. */
export async function findPlaces({ client, places }: Reading, tracked: Tracked, link?: string): Promise<FoundPlaces> {
  const found = places.begin(link);
  const pages = deltaPages(client, { tracked, ...(link === undefined ? {} : { link }) });
  let step = await pages.next();
  for (; !step.done; step = await pages.next())
    for (const object of step.value.objects) if (!isObject(object["@removed"])) found.note(object);
  found.end(step.value);
  return places.take(link) ?? { units: [], link: step.value };
}

/** Which administrative units a user is in, from the units' side: the users' own side is not tracked. */
async function memberships({ client }: Reading): Promise<{ byMember: Map<string, string[]>; link: string }> {
  const { objects, link } = await gather(client, { tracked: UNIT_MEMBERS });
  const byMember = new Map<string, string[]>();
  for (const [unit, { removed, members }] of objects) {
    if (removed) continue;
    for (const id of standing(members)) {
      const units = byMember.get(id);
      if (units) units.push(unit);
      else byMember.set(id, [unit]);
    }
  }
  return { byMember, link };
}

interface Settled {
  page: Required<Page>;
  there: string[];
  gone: string[];
}

/** Asks for what the listing left in doubt, by id. */
async function settle(
  reading: Reading,
  { kind, ids, read }: { kind: Kind; ids: readonly string[]; read: (object: WireObject) => Promise<SourceRecord | RecordProblem> },
): Promise<Settled> {
  const settled: Settled = { page: emptyPage(), there: [], gone: [] };
  const known = ids.filter(isId);
  const objects = await findMany(reading, kind, known);
  for (const [index, id] of known.entries()) {
    const object = objects[index];
    // Where the listing has it, one replica that has it not is no proof.
    const record = object === undefined ? await readOne(reading, kind, id) : await read(object);
    if (record === "gone") {
      settled.gone.push(id);
      settled.page.records.push({ kind, nativeId: id, deleted: true, attributes: {} });
      continue;
    }
    put(settled.page, record);
    if (!isProblem(record)) settled.there.push(id);
  }
  return settled;
}

export function standing(members: Gathered["members"]): string[] {
  return [...members].flatMap(([id, isIn]) => (isIn ? [id] : []));
}

export function emptyPage(): Required<Page> {
  return { records: [], problems: [] };
}

export function put(page: Required<Page>, record: SourceRecord | RecordProblem): void {
  if (isProblem(record)) page.problems.push(record);
  else page.records.push(record);
}

export function* paged<T>(items: readonly T[]): Generator<T[]> {
  for (let from = 0; from < items.length; from += PAGE) yield items.slice(from, from + PAGE);
}
