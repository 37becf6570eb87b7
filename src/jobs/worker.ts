import type { Logger } from "pino";
import { createIncidentWatch } from "../auth/risk/incident-watch.ts";
import { baseUrlOf, type Config } from "../config.ts";
import { createContext } from "../context.ts";
import type { Database } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { enqueue } from "../db/queue.ts";
import { openNotifier } from "../notify/notifier.ts";
import { createPace } from "../provision/pace.ts";
import { openTargets } from "../provision/targets.ts";
import { signInSettings } from "../sign-in-settings.ts";
import { createHandlers } from "./handlers.ts";
import { startQueue } from "./queue.ts";
import { startSchedule } from "./schedule.ts";
import { startSearchUpkeep } from "./search-upkeep.ts";

export interface WorkerDeps {
  db: Database;
  keyRing: KeyRing;
  log: Logger;
  config: Pick<Config, "worker"> & Partial<Pick<Config, "outbound" | "http" | "data" | "port" | "signIn">>;
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
  // Half of the workers, whatever some targets take, is there for all others.
  const pace = createPace({ slowAtOnce: Math.max(1, Math.floor(config.worker.concurrency / 2)) });
  const targets = openTargets({ keyRing, log, signal: closing.signal, now, network: config.outbound, pace });
  const signIn = config.signIn ?? signInSettings.parse({});
  const incidents = createIncidentWatch({ db, keyRing, settings: signIn.risk });
  const baseUrl = baseUrlOf({ http: config.http ?? {}, port: config.port });
  const notifier = openNotifier({
    settings: signIn.notify,
    baseUrl,
    network: config.outbound,
  });
  const queue = await startQueue({
    db,
    log,
    handlers: createHandlers({
      db,
      keyRing,
      targets,
      notifier,
      incidents,
      resets: { settings: signIn, baseUrl },
      publicUrl: config.http?.publicUrl,
    }),
    concurrency: config.worker.concurrency,
    now,
    network: config.outbound,
    ...(drainMs === undefined ? {} : { drainMs }),
  });
  // What began or ended while no node was up.
  await enqueue(db.pool, { job: "expire", payload: {}, key: "expire:start" });
  const schedule = await startSchedule({ db, log, now });
  const search = startSearchUpkeep(createContext({ actor: "system", log, now, signal: closing.signal }), db);
  return {
    async stop() {
      await search.stop();
      await schedule.stop();
      await queue.stop();
      closing.abort();
      await Promise.all([targets.close(), notifier.close()]);
    },
  };
}
