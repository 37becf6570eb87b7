import { LIMITS } from "../report.ts";
import { megabytes, seconds, type Row } from "../table.ts";
import { TITLES } from "./kinds.ts";
import type { DirectoryMeasurement, RunMeasured } from "./measure.ts";

const MEGABYTE = 1024 * 1024;
const count = (value: number) => value.toLocaleString("en");

/** Times are ratios to the bare read of the same pages in the same run; memory has limits, times are for comparison. */
export function directoryRows({ large, small }: { large: DirectoryMeasurement; small?: DirectoryMeasurement }): Row[] {
  const { kind, read, first, unchanged, nothingNew, incremental, changed, alwaysFull } = large;
  const pages = read.requests === 0 ? "" : `, ${count(read.requests)} requests`;
  const again = alwaysFull ? ", read in full" : "";
  return [
    { what: `${TITLES[kind]}, ${count(large.size.people)} people`, measured: "" },
    { what: `  bare read, ${count(read.records)} records, ${count(read.members)} members${pages}`, measured: seconds(read.ms) },
    { what: "      processor time of this process", measured: seconds(read.cpuMs) },
    ...runRows("first sync", first, large),
    ...runRows("full sync, nothing changed", unchanged, large),
    { what: "      rows of people, accounts, memberships written", measured: count(rowsOf(unchanged)) },
    ...(nothingNew ? runRows("incremental sync, nothing changed", nothingNew, large) : []),
    ...runRows(`sync with ${count(changed)} changed${again}`, incremental, large),
    ...memoryRows({ large, ...(small && { small }) }),
  ];
}

function runRows(name: string, { ms, cpuMs, requests, result }: RunMeasured, { read }: DirectoryMeasurement): Row[] {
  const pages = read.requests === 0 ? "" : `, ${count(requests)} requests`;
  const stages = Object.entries(result.timings).map(([stage, spent]) => ({ what: `      ${stage}`, measured: seconds(spent) }));
  return [
    { what: `  ${name}${pages}`, measured: seconds(ms), value: ms / read.ms, unit: " × read" },
    { what: "      processor time of this process", measured: seconds(cpuMs), value: cpuMs / read.cpuMs, unit: " × read's" },
    ...stages,
  ];
}

function rowsOf({ written }: RunMeasured): number {
  return Object.values(written).reduce((sum, rows) => sum + rows, 0);
}

function memoryRows({ large, small }: { large: DirectoryMeasurement; small?: DirectoryMeasurement }): Row[] {
  const runs = { "first sync": "first", "full sync": "unchanged", "sync of changes": "incremental" } as const;
  return Object.entries(runs).flatMap(([name, run]): Row[] => {
    const peak = large[run].peakBytes;
    const row = {
      what: `  peak memory, ${name}`,
      measured: megabytes(peak),
      value: peak / MEGABYTE,
      limit: LIMITS.peakMegabytes,
      unit: " MB",
    };
    if (!small) return [row];
    const before = small[run].peakBytes;
    const growth = { measured: `${megabytes(before)} → ${megabytes(peak)}`, value: peak / before, limit: LIMITS.growth, unit: " ×" };
    return [row, { what: `  its growth from ${count(small.size.people)} people`, ...growth }];
  });
}
