import type { Logger } from "pino";
import type { Config } from "../config.ts";
import type { Database } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { enqueue } from "../db/queue.ts";
import { openTargets } from "../provision/targets.ts";
import { createHandlers } from "./handlers.ts";
import { startQueue } from "./queue.ts";
import { startSchedule } from "./schedule.ts";

export interface WorkerDeps {
  db: Database;
  keyRing: KeyRing;
  log: Logger;
  config: Pick<Config, "worker"> & Partial<Pick<Config, "outbound" | "http" | "data">>;
  now?: () => Date;
  /** How long stop() waits for what is in flight. */
  drainMs?: number;
}

export interface Worker {
  /** Drains: no new jobs, those in flight end within the deadline or are given back. */
  stop(): Promise<void>;
}

/** Everything that a node with the role `worker` does: work off the queue, keep the schedules, take over from dead nodes. */
export async function startWorker({ db, keyRing, log, config, now = () => new Date(), drainMs }: WorkerDeps): Promise<Worker> {
  const closing = new AbortController();
  const targets = openTargets({ keyRing, log, signal: closing.signal, now, network: config.outbound });
  const queue = await startQueue({
    db,
    log,
    handlers: createHandlers({ db, keyRing, targets, publicUrl: config.http?.publicUrl }),
    concurrency: config.worker.concurrency,
    now,
    network: config.outbound,
    dataFolder: config.data,
    ...(drainMs === undefined ? {} : { drainMs }),
  });
  // What began or ended while no node was up.
  await enqueue(db.pool, { job: "expire", payload: {}, key: "expire:start" });
  const schedule = await startSchedule({ db, log, now });
  return {
    async stop() {
      await schedule.stop();
      await queue.stop();
      closing.abort();
      await targets.close();
    },
  };
}
