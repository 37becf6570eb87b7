import { randomBytes } from "node:crypto";
import { createContext } from "../src/context.ts";
import { sealingKey } from "../src/db/envelope.ts";
import { createLog } from "../src/log.ts";
import type { BareRead, BareReadJob } from "./bare-read.ts";
import { changePeople } from "./change.ts";
import { inChild, type Measured } from "./child.ts";
import { addDirectory, settingsFor } from "./connection.ts";
import { startSite, type Size } from "./site.ts";
import type { IncrementalJob, IncrementalResult, SyncJob, SyncResult } from "./step.ts";
import { difference, rowsWritten, type Written } from "./written.ts";

export interface SyncMeasured extends Measured<SyncResult> {
  /** Rows of people, accounts and memberships that it wrote, as PostgreSQL counted them. */
  written: Written;
}

/** Everything measured at one size, in one run. */
export interface Measurement {
  size: Size;
  /** People changed before the incremental run. */
  changed: number;
  read: BareRead;
  first: SyncMeasured;
  /** Milliseconds of the job that completes the search indexes after the first sync; a worker does it meanwhile. */
  searchIndexesMs: number;
  unchanged: SyncMeasured;
  /** Rows as both together wrote them. */
  incremental: IncrementalResult & { written: Written };
}

export interface MeasureOptions {
  folder: string;
  size: Size;
  changed: number;
  /** Bare reads, of which the fastest counts. */
  repeat: number;
  say: (line: string) => void;
}

export async function measure({ folder, size, changed, repeat, say }: MeasureOptions): Promise<Measurement> {
  const label = `${size.people.toLocaleString("en")} people`;
  say(`${label}: starting PostgreSQL and slapd, loading the directory`);
  const site = await startSite({ folder, size });
  try {
    const key = randomBytes(32);
    const ctx = createContext({ actor: "cli:bench", log: createLog({ level: "error" }) });
    await addDirectory(ctx, { databaseUrl: site.databaseUrl, keyRing: { current: sealingKey(key), older: [] }, slapd: site.slapd });
    const full = { databaseUrl: site.databaseUrl, key: key.toString("hex"), mode: "full" } as const satisfies SyncJob;
    const sync = async (): Promise<SyncMeasured> => {
      const before = await rowsWritten(site.databaseUrl);
      const measured = await inChild<SyncResult>({ step: "sync", job: full });
      mustBeDone(measured.result, { mode: "full", label });
      return { ...measured, written: difference(before, await rowsWritten(site.databaseUrl)) };
    };
    say(`${label}: bare read, the best of ${repeat}`);
    const bareRead: BareReadJob = { settings: settingsFor(site.slapd), repeat };
    const { result: read } = await inChild<BareRead>({ step: "read", job: bareRead });
    say(`${label}: first sync`);
    const first = await sync();
    const { ms: searchIndexesMs } = await inChild({ step: "search-indexes", job: { databaseUrl: site.databaseUrl } });
    say(`${label}: full sync with nothing changed`);
    const unchanged = await sync();
    say(`${label}: changing ${changed.toLocaleString("en")} people, incremental sync; and the same again`);
    const { url, adminDn, adminPassword, baseDn } = site.slapd;
    const change = { company: site.company, slapd: { url, adminDn, adminPassword, baseDn }, count: changed };
    await changePeople({ ...change, grade: "senior" });
    const again: IncrementalJob = { ...full, mode: "incremental", change: { ...change, grade: "principal" } };
    const before = await rowsWritten(site.databaseUrl);
    const { result: both } = await inChild<IncrementalResult>({ step: "incremental", job: again });
    for (const { result } of [both.cold, both.warm]) mustBeDone(result, { mode: "incremental", label });
    const incremental = { ...both, written: difference(before, await rowsWritten(site.databaseUrl)) };
    return { size, changed, read, first, searchIndexesMs, unchanged, incremental };
  } finally {
    await site.stop();
  }
}

function mustBeDone({ state, mode, guards, notes }: SyncResult, asked: { mode: SyncJob["mode"]; label: string }): void {
  if (state !== "done") throw new Error(`The ${asked.mode} sync of ${asked.label} ended as "${state}": ${guards.join("; ")}`);
  if (mode !== asked.mode) throw new Error(`The ${asked.mode} sync of ${asked.label} was carried out as "${mode}": ${notes.join("; ")}`);
}
