import { Logger as QueueLogger, run, type Runner, type TaskList } from "graphile-worker";
import type { Logger } from "pino";
import type { Network } from "../../connectors/contract.ts";
import { createContext, type Context } from "../context.ts";
import type { Database } from "../db/database.ts";
import type { JobName, JobPayloads } from "../db/queue.ts";
import { joinNodes, type Node } from "./nodes.ts";

/** What a job does; it throws to be tried again by the queue's own backoff. */
export type Handlers = { readonly [N in JobName]?: (ctx: Context, payload: JobPayloads[N]) => Promise<void> };

export interface QueueOptions {
  db: Database;
  log: Logger;
  handlers: Handlers;
  /** Jobs at once on this node. */
  concurrency: number;
  now?: () => Date;
  /** What the jobs' connections may reach; absent = public addresses only. */
  network?: Network | undefined;
  /** How long stop() waits for what is in flight before it aborts it. */
  drainMs?: number;
  /** How often this node looks for dead ones. */
  watchMs?: number;
}

export interface Queue {
  node: Node;
  /** Takes no more jobs, finishes those in flight within the deadline, then lets go. */
  stop(): Promise<void>;
}

const DRAIN_MS = 25_000;
const WATCH_MS = 3_000;
const RESTART_MS = 1_000;
const ABORT_GRACE_MS = 3_000;

/** Works off the queue on this node, over the shared pool; jobs of nodes that died are taken up. */
export async function startQueue(options: QueueOptions): Promise<Queue> {
  const { db, log, handlers, now, network, drainMs = DRAIN_MS, watchMs = WATCH_MS } = options;
  const aborting = new AbortController();
  const node = await joinNodes({ db, log, watchMs, ...(now ? { now } : {}) });
  const taskList: TaskList = Object.fromEntries(
    Object.entries(handlers).map(([name, handler]) => [
      name,
      async (payload: unknown) => {
        const ctx = createContext({ actor: "system", log: log.child({ job: name }), signal: aborting.signal, now, network });
        // The payload is what db/queue.ts enqueued under this name.
        await (handler as (ctx: Context, payload: unknown) => Promise<void>)(ctx, payload);
      },
    ]),
  );

  let stopping = false;
  let runner = await start();

  async function start(): Promise<Runner> {
    const started = await run({
      pgPool: db.pool,
      taskList,
      parsedCronItems: [],
      concurrency: options.concurrency,
      noHandleSignals: true,
      pollInterval: 1_000,
      logger: queueLogger(log),
      preset: {
        plugins: [
          { name: "node", version: "1", worker: { hooks: { startWorker: async (_ctx, { worker }) => node.addWorker(worker.workerId) } } },
        ],
      },
    });
    started.events.on("worker:fatalError", ({ error }) => void restart(error));
    started.promise.catch((error: unknown) => void restart(error));
    return started;
  }

  /** A worker that could not say how its job ended leaves the pool for good: all of them begin anew, and its job with them. */
  async function restart(error: unknown): Promise<void> {
    if (stopping) return;
    stopping = true;
    log.error({ err: error }, "the queue's worker broke; it starts again");
    await settled(runner.stop(), drainMs);
    for (;;) {
      try {
        await node.releaseWorkers();
        runner = await start();
        stopping = false;
        return;
      } catch (startError) {
        log.error({ err: startError }, "the queue could not be started; trying again");
        await new Promise((resolve) => setTimeout(resolve, RESTART_MS));
      }
    }
  }

  return {
    node,
    async stop() {
      stopping = true;
      const stopped = runner.stop().catch((error: unknown) => log.warn({ err: error }, "the queue did not stop cleanly"));
      if (!(await settled(stopped, drainMs))) {
        log.warn(`jobs in flight did not end within ${drainMs} ms; they are aborted, and tried again by another node`);
        aborting.abort(new Error("This node is shutting down."));
        await settled(stopped, ABORT_GRACE_MS);
      }
      await node.leave();
    },
  };
}

async function settled(work: Promise<unknown>, within: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), within);
  });
  try {
    return await Promise.race([
      work.then(
        () => true,
        () => true,
      ),
      late,
    ]);
  } finally {
    clearTimeout(timer);
  }
}

/** The queue's own lines: each finished job is worth no more than a debug line of ours. */
function queueLogger(log: Logger): QueueLogger {
  return new QueueLogger(() => (level, message) => {
    if (level === "error") log.error(message);
    else if (level === "warning") log.warn(message);
    else log.debug(message);
  });
}
