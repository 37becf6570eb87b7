import type { OpenOptions, Source } from "../contract.ts";
import { readChanges } from "./changes.ts";
import { openClient } from "./client.ts";
import type { EntraSettings } from "./config.ts";
import { readAll } from "./full.ts";
import { count, listIds } from "./listing.ts";
import { groupsOf, readOne } from "./lookup.ts";
import { gatherPlaces } from "./places.ts";
import { kindsOf, trackedBy, type Reading } from "./reading.ts";

/** A tenant of Microsoft Entra ID as a source of people, groups and units. Signs in at once: a wrong credential is told before a run reads. */
export async function openEntraSource(options: OpenOptions<EntraSettings>): Promise<Source> {
  const { settings, log, signal, now } = options;
  const client = openClient(options);
  const reading: Reading = { client, settings, log, signal, now, tracked: trackedBy(settings), places: gatherPlaces(settings.units) };
  try {
    await client.token();
  } catch (error) {
    await client.close();
    throw error;
  }
  return {
    kinds: kindsOf(settings),
    readAll: (kind) => readAll(reading, kind),
    readChanges: (kind, since) => readChanges(reading, kind, since),
    // A delta query says who left.
    listedKinds: [],
    listIds: (kind) => listIds(reading, kind),
    count: (kind) => count(reading, kind),
    readOne: (kind, nativeId) => readOne(reading, kind, nativeId),
    // A group says nothing when a member is deleted and restored.
    groupsOf: (nativeId) => groupsOf(reading, nativeId),
    close: () => client.close(),
  };
}
