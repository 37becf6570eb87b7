import { randomBytes } from "node:crypto";
import { createContext } from "../src/context.ts";
import { sealingKey } from "../src/db/envelope.ts";
import { createLog } from "../src/log.ts";
import type { BareRead, BareReadJob } from "./bare-read.ts";
import { changePeople } from "./change.ts";
import { inChild, type Measured } from "./child.ts";
import { addDirectory, settingsFor } from "./connection.ts";
import { startSite, type Size } from "./site.ts";
import type { SyncJob, SyncResult } from "./step.ts";
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
  incremental: SyncMeasured;
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
    const sync = async (mode: SyncJob["mode"]): Promise<SyncMeasured> => {
      const before = await rowsWritten(site.databaseUrl);
      const job: SyncJob = { databaseUrl: site.databaseUrl, key: key.toString("hex"), mode };
      const measured = await inChild<SyncResult>({ step: "sync", job });
      const { state, mode: carriedOut, guards } = measured.result;
      if (state !== "done") throw new Error(`The ${mode} sync of ${label} ended as "${state}": ${guards.join("; ")}`);
      if (carriedOut !== mode)
        throw new Error(`The ${mode} sync of ${label} was carried out as "${carriedOut}": ${measured.result.notes.join("; ")}`);
      return { ...measured, written: difference(before, await rowsWritten(site.databaseUrl)) };
    };
    say(`${label}: bare read, the best of ${repeat}`);
    const bareRead: BareReadJob = { settings: settingsFor(site.slapd), repeat };
    const { result: read } = await inChild<BareRead>({ step: "read", job: bareRead });
    say(`${label}: first sync`);
    const first = await sync("full");
    const { ms: searchIndexesMs } = await inChild({ step: "search-indexes", job: { databaseUrl: site.databaseUrl } });
    say(`${label}: full sync with nothing changed`);
    const unchanged = await sync("full");
    say(`${label}: changing ${changed.toLocaleString("en")} people`);
    await changePeople({ company: site.company, slapd: site.slapd, count: changed });
    say(`${label}: incremental sync`);
    const incremental = await sync("incremental");
    return { size, changed, read, first, searchIndexesMs, unchanged, incremental };
  } finally {
    await site.stop();
  }
}
