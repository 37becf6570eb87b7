import type { CheckResult, Kind, Source, SourceRecord } from "../../connectors/contract.ts";
import { messageOf } from "../errors.ts";
import { openOptions, openSource, type LoadedConnection, type OpenConnectionOptions } from "./open.ts";

/** Asks the connector what it finds: can it reach the system, sign in, see what the settings name? Never throws for what it finds. */
export async function checkConnection(connection: LoadedConnection, options: OpenConnectionOptions): Promise<CheckResult[]> {
  const { check } = connection.connector;
  if (!check) return [{ name: "connector", ok: true, message: `${connection.connector.title} has nothing to check from here.` }];
  try {
    return await check(openOptions(connection, options));
  } catch (error) {
    return [{ name: "connect", ok: false, message: messageOf(error) }];
  }
}

/** The first records of a kind, or why there are none. */
export type Sample = { records: readonly SourceRecord[] } | { problem: string };

/** The first records of each kind, so that a mapping can be tried before anything is taken in. One kind's trouble is its own. */
export async function sampleRecords(
  connection: LoadedConnection,
  { limit = 10, ...options }: OpenConnectionOptions & { limit?: number },
): Promise<ReadonlyMap<Kind, Sample>> {
  const samples = new Map<Kind, Sample>();
  if (!connection.connector.openSource) return samples;
  const source = await openSource(connection, options);
  try {
    for (const kind of source.kinds) samples.set(kind, await sampleOf(source, { kind, limit }));
  } finally {
    await source.close();
  }
  return samples;
}

async function sampleOf(source: Source, { kind, limit }: { kind: Kind; limit: number }): Promise<Sample> {
  const records: SourceRecord[] = [];
  try {
    for await (const page of source.readAll(kind)) {
      records.push(...page.records.filter(({ deleted }) => !deleted));
      if (records.length >= limit) break;
    }
    return { records: records.slice(0, limit) };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}
