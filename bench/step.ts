import { createContext } from "../src/context.ts";
import { openDatabase } from "../src/db/database.ts";
import { sealingKey } from "../src/db/envelope.ts";
import { migrate } from "../src/db/migrate.ts";
import { completeSearchIndexes } from "../src/db/search-indexes.ts";
import { takeOverSearchTexts } from "../src/db/search-texts.ts";
import { createLog } from "../src/log.ts";
import { runSync } from "../src/sync/run.ts";
import { readBare, type BareReadJob } from "./bare-read.ts";
import { answerParent } from "./child.ts";
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

async function sync({ databaseUrl, key, mode }: SyncJob): Promise<SyncResult> {
  const db = openDatabase({ url: databaseUrl });
  try {
    const ctx = createContext({ actor: "cli:bench", log: createLog({ level: "error" }), network: OPEN_NETWORK });
    const keyRing = { current: sealingKey(Buffer.from(key, "hex")), older: [] };
    const { guards, ...summary } = await runSync(ctx, { db, keyRing, connection: CONNECTION, mode, trigger: "cli" });
    return { ...summary, guards: guards.map(({ message }) => message) };
  } finally {
    await db.close();
  }
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
if (step === "read") answerParent((job: BareReadJob) => readBare(job));
// Loaded by those alone who need it, so that nobody else's memory shows it.
else if (step === "read-directory")
  answerParent(async (job: BareDirectoryJob) => (await import("./directories/bare/read.ts")).readBareDirectory(job));
else if (step === "sync") answerParent(sync);
else if (step === "search-indexes") answerParent(completeIndexes);
else if (step === "migrate") answerParent(({ url }: { url: string }) => migrate(url));
else throw new Error(`There is no step "${step}".`);
