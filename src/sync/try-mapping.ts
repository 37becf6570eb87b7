import type { CheckResult, Kind, SourceRecord } from "../../connectors/contract.ts";
import { sampleRecords, type Sample } from "../connections/check.ts";
import type { LoadedConnection } from "../connections/open.ts";
import type { Context } from "../context.ts";
import type { Contribution } from "../directory/attributes.ts";
import { messageOf } from "../errors.ts";
import { compileMapping, type CompiledKind } from "./mapping.ts";

/** What the mapping makes of one record; nothing of it is stored. */
export type TriedRecord = { nativeId: string } & (
  { outcome: "mapped"; becomes: Contribution } | { outcome: "out of scope" } | { outcome: "failed"; problem: string }
);

export interface TriedMapping extends CheckResult {
  kind: Kind;
  samples: readonly TriedRecord[];
}

/** Reads the first records of each kind that is mapped, and maps them. Throws what opening the source throws. */
export async function tryMapping(
  ctx: Context,
  { connection, limit }: { connection: LoadedConnection; limit: number },
): Promise<TriedMapping[]> {
  if (!connection.mapping || !connection.connector.openSource) return [];
  const { kinds } = compileMapping(connection.mapping);
  const samples = await sampleRecords(connection, { ...ctx, limit });
  return [...samples].flatMap(([kind, sample]) => {
    const mapping = kinds[kind];
    return mapping ? [tried(kind, { sample, mapping })] : [];
  });
}

function tried(kind: Kind, { sample, mapping }: { sample: Sample; mapping: CompiledKind }): TriedMapping {
  const found = { name: `mapping.${kind}`, kind };
  if ("problem" in sample) return { ...found, ok: false, message: `no ${kind} could be read: ${sample.problem}`, samples: [] };
  const { length } = sample.records;
  if (length === 0) return { ...found, ok: true, message: "there is no record to try it on", samples: [] };
  const samples = sample.records.map((record) => triedRecord(record, mapping));
  const failed = samples.filter(({ outcome }) => outcome === "failed").length;
  const mapped = samples.filter(({ outcome }) => outcome === "mapped").length;
  return {
    ...found,
    ok: failed === 0,
    message: failed === 0 ? `${mapped} of the first ${length} are in scope` : `${failed} of the first ${length} can't be mapped`,
    samples,
  };
}

function triedRecord({ nativeId, attributes }: SourceRecord, mapping: CompiledKind): TriedRecord {
  try {
    if (!mapping.inScope(attributes)) return { nativeId, outcome: "out of scope" };
    return { nativeId, outcome: "mapped", becomes: mapping.map(attributes) };
  } catch (error) {
    return { nativeId, outcome: "failed", problem: messageOf(error) };
  }
}
