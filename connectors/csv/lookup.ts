import { Fault, type AttributeObject, type Kind, type RecordProblem, type SourceRecord } from "../contract.ts";
import { openCsv, type CsvFile } from "./client.ts";
import type { CsvSettings } from "./config.ts";
import type { Place } from "./place.ts";
import { collectGroups, collectUnits, personLines, type Reading } from "./read.ts";
import { isProblem } from "./records.ts";

export interface LookupOptions {
  place: Place;
  /** The file that the run reads: as long as it stands there, it is asked. */
  file: CsvFile;
  settings: CsvSettings;
  signal: AbortSignal;
  granted?: readonly string[] | undefined;
}

/** One file by ids, read through once. */
interface Index {
  version: string;
  name: string;
  find(kind: Kind, nativeId: string): SourceRecord | undefined;
  problems: ReadonlyMap<string, RecordProblem>;
  /** Whether who or what is not found is gone. */
  proven: (kind: Kind) => boolean;
}

/**
 * Asks the file as it stands now, which may be a newer one than the run has read. A file that does not prove itself whole knows
 * nobody to be gone: then it throws `transient`.
 */
export function createLookup({
  place,
  file,
  settings,
  signal,
  granted,
}: LookupOptions): (kind: Kind, nativeId: string) => Promise<SourceRecord | "gone"> {
  let index: Index | undefined;

  async function current(): Promise<Index> {
    const version = await place.look();
    if (index?.version === version) return index;
    if (file.version === version) return (index = await readThrough({ file, settings, granted }));
    const newer = await openCsv(place, { settings, signal });
    try {
      return (index = await readThrough({ file: newer, settings, granted }));
    } finally {
      await newer.close();
    }
  }

  return async (kind, nativeId) => {
    const { name, find, problems, proven } = await current();
    const found = find(kind, nativeId);
    if (found) return found;
    const problem = kind === "user" ? problems.get(nativeId) : undefined;
    if (problem) throw new Fault("rejected", problem.message);
    if (!proven(kind)) throw new Fault("transient", `${name} does not prove itself whole, so that nobody is known to be gone from it.`);
    return "gone";
  };
}

async function readThrough(reading: Reading): Promise<Index> {
  const { version, name, changedAt } = reading.file;
  // As text a person takes a fraction of the room.
  const people = new Map<string, string>();
  const problems = new Map<string, RecordProblem>();
  const collected = { group: collectGroups(reading), unit: collectUnits(reading) };
  const lines = personLines(reading);
  let step = await lines.next();
  for (; !step.done; step = await lines.next()) {
    const { item } = step.value;
    if (!isProblem(item)) people.set(item.nativeId, JSON.stringify(item.attributes));
    else if (!people.has(item.nativeId)) problems.set(item.nativeId, item);
    collected.group.take(step.value);
    collected.unit.take(step.value);
  }
  const end = step.value;
  const byId = (records: Iterable<SourceRecord>) => new Map([...records].map((record) => [record.nativeId, record]));
  const others = { group: byId(collected.group.records(end)), unit: byId(collected.unit.records(end)) };
  return {
    version,
    name,
    problems,
    proven: (kind) => (kind === "user" ? end.proven : end.provenPlaces),
    find(kind, nativeId) {
      if (kind !== "user") return others[kind].get(nativeId);
      const attributes = people.get(nativeId);
      if (attributes === undefined) return undefined;
      return { kind, nativeId, reference: nativeId, changedAt, attributes: JSON.parse(attributes) as AttributeObject };
    },
  };
}
