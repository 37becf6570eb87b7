import type { Measured } from "./child.ts";
import type { Measurement, SyncMeasured } from "./measure.ts";
import type { SyncResult } from "./step.ts";
import { megabytes, seconds, type Row } from "./table.ts";

/** What is promised; times are ratios to a bare read of the same data in the same run. */
export const LIMITS = { first: 6, unchanged: 1.5, incremental: 0.15, peakMegabytes: 400, growth: 1.5 };

/** Stages that look for what is gone: timed apart, because they cost the same whatever changed. */
const SWEEP_STAGES = ["list ids", "sweep"];

const MEGABYTE = 1024 * 1024;

export function reportRows({ large, small }: { large: Measurement; small?: Measurement }): Row[] {
  const { read, first, unchanged, incremental } = large;
  const count = (value: number) => value.toLocaleString("en");
  return [
    { what: `bare read with ldapts, ${count(read.entries)} entries, ${count(read.members)} members`, measured: seconds(read.ms) },
    { what: "(a) first sync", measured: seconds(first.ms), value: first.ms / read.ms, limit: LIMITS.first, unit: " × read" },
    ...stageRows(first),
    { what: "    its search indexes, by a job, apart", measured: seconds(large.searchIndexesMs) },
    {
      what: "(b) full sync, nothing changed",
      measured: seconds(unchanged.ms),
      value: unchanged.ms / read.ms,
      limit: LIMITS.unchanged,
      unit: " × read",
    },
    ...stageRows(unchanged),
    { what: "    rows of people, accounts, memberships written", measured: "", value: writtenRows(unchanged), limit: 0 },
    {
      what: `(c) incremental sync, ${count(large.changed)} people changed`,
      measured: seconds(apartFromSweep(incremental.warm)),
      value: apartFromSweep(incremental.warm) / read.ms,
      limit: LIMITS.incremental,
      unit: " × read",
    },
    ...stageRows(incremental.warm),
    { what: "    its sweep, apart", measured: seconds(sweepMs(incremental.warm)) },
    {
      what: "    the first in a process that has just started",
      measured: seconds(apartFromSweep(incremental.cold)),
      value: apartFromSweep(incremental.cold) / read.ms,
      unit: " × read",
    },
    ...memoryRows({ large, small }),
  ];
}

function memoryRows({ large, small }: { large: Measurement; small?: Measurement }): Row[] {
  return (["first", "unchanged", "incremental"] as const).flatMap((step, index): Row[] => {
    const name = `(${"abc"[index] ?? ""})`;
    const peak = peakOf(large, step);
    const rows: Row[] = [
      { what: `${name} peak memory`, measured: megabytes(peak), value: peak / MEGABYTE, limit: LIMITS.peakMegabytes, unit: " MB" },
    ];
    if (small) {
      const before = peakOf(small, step);
      rows.push({
        what: `${name} growth from ${small.size.people.toLocaleString("en")} people`,
        measured: `${megabytes(before)} → ${megabytes(peak)}`,
        value: peak / before,
        limit: LIMITS.growth,
        unit: " ×",
      });
    }
    return rows;
  });
}

/** A process never gives back what it held at most: after the second run it is that of both. */
function peakOf({ incremental, ...full }: Measurement, step: "first" | "unchanged" | "incremental"): number {
  return step === "incremental" ? incremental.warm.peakBytes : full[step].peakBytes;
}

function stageRows({ result }: Measured<SyncResult>): Row[] {
  return Object.entries(result.timings)
    .filter(([stage]) => !SWEEP_STAGES.includes(stage))
    .map(([stage, ms]) => ({ what: `    ${stage}`, measured: seconds(ms) }));
}

function apartFromSweep(measured: Measured<SyncResult>): number {
  return measured.ms - sweepMs(measured);
}

function sweepMs({ result }: Measured<SyncResult>): number {
  return SWEEP_STAGES.reduce((sum, stage) => sum + (result.timings[stage] ?? 0), 0);
}

function writtenRows({ written }: SyncMeasured): number {
  return Object.values(written).reduce((sum, rows) => sum + rows, 0);
}
