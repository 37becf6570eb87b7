import { createContext } from "../src/context.ts";
import { openDatabase, type Database } from "../src/db/database.ts";
import { sealingKey } from "../src/db/envelope.ts";
import { migrate } from "../src/db/migrate.ts";
import { completeSearchIndexes } from "../src/db/search-indexes.ts";
import { takeOverSearchTexts } from "../src/db/search-texts.ts";
import { setUpHeap } from "../src/heap.ts";
import { createLog } from "../src/log.ts";
import { runSync } from "../src/sync/run.ts";
import { readBare, type BareReadJob } from "./bare-read.ts";
import { changePeople, type PeopleChange } from "./change.ts";
import { answerParent, measureHere, type Measured } from "./child.ts";
import { CONNECTION } from "./connection.ts";
import type { BareDirectoryJob } from "./directories/bare/read.ts";
import { OPEN_NETWORK } from "./network.ts";

export interface SyncJob {
  databaseUrl: string;
  /** The master key, hexadecimal. */
  key: string;
  mode: "full" | "incremental";
}

export interface SyncResult {
  state: string;
  mode: string;
  read: Readonly<Record<string, { read: number; changed: number; problems: number }>>;
  plan: Readonly<Record<string, Readonly<Record<string, number>>>>;
  applied: Readonly<Record<string, number>>;
  guards: readonly string[];
  notes: readonly string[];
  timings: Readonly<Record<string, number>>;
}

export interface IncrementalJob extends SyncJob {
  /** Made between the two runs. */
  change: PeopleChange;
}

/** The same twice in one process: just started, and as a server's worker does it, which has done it before. */
export interface IncrementalResult {
  cold: Measured<SyncResult>;
  warm: Measured<SyncResult>;
}

async function incremental({ change, ...job }: IncrementalJob): Promise<IncrementalResult> {
  const db = openDatabase({ url: job.databaseUrl });
  try {
    const cold = await measureHere(() => syncOver(db, job));
    await changePeople(change);
    return { cold, warm: await measureHere(() => syncOver(db, job)) };
  } finally {
    await db.close();
  }
}

async function sync(job: SyncJob): Promise<SyncResult> {
  const db = openDatabase({ url: job.databaseUrl });
  try {
    return await syncOver(db, job);
  } finally {
    await db.close();
  }
}

async function syncOver(db: Database, { key, mode }: SyncJob): Promise<SyncResult> {
  const ctx = createContext({ actor: "cli:bench", log: createLog({ level: "error" }), network: OPEN_NETWORK });
  const keyRing = { current: sealingKey(Buffer.from(key, "hex")), older: [] };
  const { guards, ...summary } = await runSync(ctx, { db, keyRing, connection: CONNECTION, mode, trigger: "cli" });
  return { ...summary, guards: guards.map(({ message }) => message) };
}

async function completeIndexes({ databaseUrl }: { databaseUrl: string }): Promise<void> {
  const db = openDatabase({ url: databaseUrl, poolSize: 1 });
  try {
    await takeOverSearchTexts(createContext({ actor: "cli:bench", log: createLog({ level: "error" }) }), db);
    await completeSearchIndexes(db.pool);
  } finally {
    await db.close();
  }
}

/** One measured step in a process of its own; see inChild. */
const [step] = process.argv.slice(2);
// Runs happen in a server's worker, and have its heap.
if (step === "sync" || step === "incremental") setUpHeap();
if (step === "read") answerParent((job: BareReadJob) => readBare(job));
// Loaded by those alone who need it, so that nobody else's memory shows it.
else if (step === "read-directory")
  answerParent(async (job: BareDirectoryJob) => (await import("./directories/bare/read.ts")).readBareDirectory(job));
else if (step === "sync") answerParent(sync);
else if (step === "incremental") answerParent(incremental);
else if (step === "search-indexes") answerParent(completeIndexes);
else if (step === "migrate") answerParent(({ url }: { url: string }) => migrate(url));
else throw new Error(`There is no step "${step}".`);
