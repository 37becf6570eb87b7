import type { Context } from "../context.ts";
import type { Database } from "../db/database.ts";
import { AppError } from "../errors.ts";
import type { Progress } from "./progress.ts";

export interface RunWatch {
  /** Notes how far the run is; what came in between is left out. */
  note(progress: Progress): void;
  /** Ends the watch, with the last progress written. */
  stop(): Promise<void>;
}

export interface WatchOptions {
  db: Database;
  runId: number;
  /** Stops the run, whose cancellation somebody has asked for. */
  cancel: (reason: AppError) => void;
  everyMs?: number;
}

const EVERY_MS = 1000;

/** Writes a run's progress where every node can read it, once a second and at each new stage, and hears whether it was cancelled. */
export function watchRun(ctx: Context, { db, runId, cancel, everyMs = EVERY_MS }: WatchOptions): RunWatch {
  let latest: Progress | undefined;
  let stage: string | undefined;
  let writing = Promise.resolve();

  async function write(): Promise<void> {
    const progress = latest;
    latest = undefined;
    if (progress)
      await db.pool.query(
        "insert into run_events (run_id, event, data) select id, 'progress', $2 from (select id from runs where id = $1 for no key update) r",
        [runId, JSON.stringify(progress)],
      );
  }

  async function ask(): Promise<void> {
    const { rows } = await db.pool.query<{ by: string }>(
      "select cancelled_by as by from runs where id = $1 and state in ('pulling', 'planned') and cancelled_by is not null",
      [runId],
    );
    if (rows[0]) cancel(new AppError("conflict", `Run ${runId} was cancelled by ${rows[0].by}.`, { field: "run" }));
  }

  // One after the other. Without a database the run fails by itself, and what is told of it can wait.
  async function inTurn(before: Promise<void>, next: () => Promise<void>): Promise<void> {
    await before;
    try {
      await next();
    } catch (error) {
      ctx.log.debug({ err: error, run: runId }, "a run's progress could not be written");
    }
  }
  const then = (next: () => Promise<void>) => {
    writing = inTurn(writing, next);
  };
  const timer = setInterval(() => {
    then(write);
    then(ask);
  }, everyMs);
  timer.unref();
  return {
    note(progress) {
      latest = progress;
      if (progress.stage === stage) return;
      stage = progress.stage;
      then(write);
    },
    async stop() {
      clearInterval(timer);
      then(write);
      await writing;
    },
  };
}
