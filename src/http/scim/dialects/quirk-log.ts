import type { Logger } from "pino";
import type { Dialect } from "../../../../connectors/scim-inbound/config.ts";
import { addQuirkCounts, type QuirkCount } from "../../../connections/quirks.ts";
import type { Database } from "../../../db/database.ts";
import type { Bent } from "./bending.ts";

/** Counts quirks in memory and adds them to the database now and then, so that a request costs no write for them. */
export interface QuirkLog {
  /** `count` times; once when absent. */
  note(quirk: Bent & { connectionId: number; dialect: Dialect; count?: number }): void;
  /** Writes what is counted; what can't be written is kept for the next time. */
  flush(): Promise<void>;
}

const FLUSHED_AFTER_MS = 2000;

export function createQuirkLog({ db, log, now }: { db: Database; log: Logger; now: () => Date }): QuirkLog {
  let counted = new Map<string, QuirkCount>();
  let timer: NodeJS.Timeout | undefined;
  const add = (count: QuirkCount) => {
    const key = [count.connectionId, count.dialect, count.quirk, count.attribute, count.sample].join(" ");
    const before = counted.get(key);
    if (before) {
      before.count += count.count;
      before.lastSeen = count.lastSeen;
    } else counted.set(key, count);
  };
  const flush = async () => {
    clearTimeout(timer);
    timer = undefined;
    if (counted.size === 0) return;
    const writing = counted;
    counted = new Map();
    try {
      await addQuirkCounts(db.pool, [...writing.values()]);
    } catch (error) {
      log.warn({ err: error }, "quirks of SCIM clients can't be written; they are kept and tried again");
      for (const count of writing.values()) add(count);
    }
  };
  return {
    note({ connectionId, dialect, quirk, attribute, sample, count = 1 }) {
      add({ connectionId, dialect, quirk, attribute, sample, count, lastSeen: now() });
      // Unreferenced: a process that ends flushes itself.
      timer ??= setTimeout(() => void flush(), FLUSHED_AFTER_MS).unref();
    },
    flush,
  };
}
