import { Fault, type Cursor, type Kind, type Page, type RecordProblem, type SourceRecord } from "../contract.ts";
import type { EntraSettings } from "./config.ts";
import { cursorOf, positionOf } from "./delta.ts";
import { emptyPage, findPlaces, paged, put, standing } from "./full.ts";
import { gather, type Gathered } from "./gather.ts";
import type { WireObject } from "./json.ts";
import { administrativeUnitsOf, findMany, listMembers, readOne } from "./lookup.ts";
import { UNIT_MEMBERS, type Reading } from "./reading.ts";
import { groupRecord, isId, isProblem, unitRecord, userRecord } from "./records.ts";
import { placeOf } from "./unit-names.ts";

/**
 * What changed since the cursor. The delta query says who changed, and may repeat itself, late or out of order; everybody it names
 * is read by id. Where the two answers differ, replicas lag or a change was replayed: the newer-looking one is given, and the
 * object is looked at again by the next increment. Throws `expired` when only a full read will do.
 */
export async function* readChanges(reading: Reading, kind: Kind, since: Cursor): AsyncGenerator<Page, Cursor> {
  const tracked = reading.tracked(kind);
  const position = positionOf(since, { kind, tracked });
  if (kind === "unit" && reading.settings.units !== "administrativeUnits") {
    const { units, link } = reading.places.take(position.link) ?? (await findPlaces(reading, tracked, position.link));
    yield { records: [...units] };
    return cursorOf(kind, { tracked, position: { link, again: [] } });
  }
  const places = kind === "user" ? reading.places.begin(position.link) : undefined;
  const round = await gather(reading.client, { tracked, link: position.link });
  const moved =
    kind === "user" && reading.settings.units === "administrativeUnits" ? await movedBetweenUnits(reading, position.unitsLink) : undefined;
  const ids = [...new Set([...round.objects.keys(), ...position.again, ...(moved?.ids ?? [])])].filter(isId);
  const again: string[] = [];
  for (const chunk of paged(ids)) {
    const page = emptyPage();
    const objects = await findMany(reading, kind, chunk);
    for (const [index, id] of chunk.entries()) {
      const settled = await settle(reading, { kind, id, read: objects[index], listed: round.objects.get(id) });
      if (settled.record) put(page, settled.record);
      places?.note(placeNamedBy(settled.record, reading.settings));
      if (settled.doubtful) again.push(id);
    }
    yield page;
  }
  places?.end(round.link);
  return cursorOf(kind, { tracked, position: { link: round.link, again, ...(moved ? { unitsLink: moved.link } : {}) } });
}

/** What the department and company were called that a person's record was placed by. */
function placeNamedBy(record: Settled["record"], { units }: EntraSettings): WireObject {
  const unit = record && !isProblem(record) ? record.attributes["unit"] : undefined;
  return typeof unit === "string" ? (placeOf(unit, units) ?? {}) : {};
}

/** People whose administrative units changed. */
async function movedBetweenUnits({ client }: Reading, link: string | undefined): Promise<{ ids: string[]; link: string }> {
  if (link === undefined) throw new Fault("expired", "The cursor does not say where to read administrative units on.");
  const round = await gather(client, { tracked: UNIT_MEMBERS, link });
  if ([...round.objects.values()].some(({ removed }) => removed))
    throw new Fault("expired", "An administrative unit was deleted, and nothing says who was in it.");
  return { ids: [...round.objects.values()].flatMap(({ members }) => [...members.keys()]), link: round.link };
}

interface Changed {
  kind: Kind;
  id: string;
  /** As read by id; undefined = not found. */
  read: WireObject | undefined;
  /** As the delta query lists it. */
  listed: Gathered | undefined;
}

interface Settled {
  record?: SourceRecord | RecordProblem;
  doubtful: boolean;
}

async function settle(reading: Reading, { kind, id, read, listed }: Changed): Promise<Settled> {
  const believed = listed && !listed.contradictory && !listed.removed ? listed : undefined;
  if (read === undefined) return settleAbsent(reading, { kind, id, listed: believed });
  const relations = await relationsOf(reading, kind, id);
  const record = recordOf(reading, { kind, object: read, relations });
  if (!believed) return { record, doubtful: listed?.removed === true };
  const newer = recordOf(reading, {
    kind,
    object: { ...withoutManager(read, believed.properties), ...believed.properties },
    relations: { ...relations, ...(relations.members ? { members: changedMembers(relations.members, believed.members) } : {}) },
  });
  const same = JSON.stringify(newer) === JSON.stringify(record);
  return { record: newer, doubtful: !same };
}

/** Not found by id: gone, unless the delta query has it and the deleted have it not. */
async function settleAbsent(
  reading: Reading,
  { kind, id, listed }: { kind: Kind; id: string; listed: Gathered | undefined },
): Promise<Settled> {
  const found = await readOne(reading, kind, id);
  if (found !== "gone") return { record: found, doubtful: listed === undefined };
  return { record: { kind, nativeId: id, deleted: true, attributes: {} }, doubtful: listed !== undefined };
}

interface Relations {
  members?: readonly string[];
  administrativeUnits?: readonly string[];
}

async function relationsOf(reading: Reading, kind: Kind, id: string): Promise<Relations> {
  if (kind === "group") return { members: await listMembers(reading, id) };
  if (kind === "user" && reading.settings.units === "administrativeUnits")
    return { administrativeUnits: await administrativeUnitsOf(reading, id) };
  return {};
}

function recordOf(
  { settings }: Reading,
  { kind, object, relations: { members = [], administrativeUnits } }: { kind: Kind; object: WireObject; relations: Relations },
): SourceRecord | RecordProblem {
  if (kind === "unit") return unitRecord(object);
  if (kind === "group") return groupRecord(object, { settings, members });
  return userRecord(object, { settings, ...(administrativeUnits === undefined ? {} : { administrativeUnits }) });
}

/** The delta query names a manager in a form of its own, and only when that changed. */
function withoutManager(read: WireObject, listed: WireObject): WireObject {
  return "manager@delta" in listed ? Object.fromEntries(Object.entries(read).filter(([name]) => name !== "manager")) : read;
}

function changedMembers(read: readonly string[], changes: Gathered["members"]): string[] {
  const members = new Set(read);
  for (const id of standing(changes)) members.add(id);
  for (const [id, isIn] of changes) if (!isIn) members.delete(id);
  return [...members];
}
