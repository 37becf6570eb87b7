import { Fault, type Cursor, type Kind, type Source } from "../../connectors/contract.ts";
import { loadConnection, openSource, scopeHashOf, type LoadedConnection } from "../connections/open.ts";
import type { Context } from "../context.ts";
import type { Database } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { listIds, sweepAbsent, sweepUnread } from "./absent.ts";
import { resumeApplying } from "./apply-plan.ts";
import { beginRun, type Run, type RunMode, type RunTrigger } from "./begin.ts";
import { endCancelled } from "./cancel-run.ts";
import { failRun } from "./fail.ts";
import { finishRun, type RunSummary } from "./finish.ts";
import { withSyncLock } from "./lock.ts";
import { decideTogether } from "./decide-together.ts";
import { readWhoNamesPassedOn } from "./passed-on.ts";
import { timed, READ_STAGE, type OnProgress } from "./progress.ts";
import { readRefused } from "./refused.ts";
import { readGroupsOfReturned } from "./returned.ts";
import { decideAnew } from "./silence.ts";
import { settleUnitsMadeAnew } from "./units-made-anew.ts";
import { watchRun } from "./watch-run.ts";
import { kindsOf, readChanges, readInFull, remapStored } from "./read.ts";

export interface RunOptions {
  db: Database;
  keyRing: KeyRing;
  /** Name or id. */
  connection: string | number;
  /** `incremental` reads in full where it has to: no cursor, an expired one, a changed scope, or the interval of full reads. */
  mode: RunMode;
  trigger: RunTrigger;
  /** Stop with a plan that waits for approval. */
  planOnly?: boolean;
  onProgress?: OnProgress;
  /** Read from this instead of the system itself: a recording, or a file that was handed in. It is closed at the end. */
  source?: Source;
  /** Opens the source in the connection's place: to record it, or to replay it. */
  open?: OpenRunSource;
  /** Decide only, in exactly this mode and from these cursors: to a plan that nobody can approve. Nothing else is touched. */
  rehearsal?: { cursor: Readonly<Partial<Record<Kind, Cursor>>> | null };
  /** The run that somebody asked for and that waits; see request-run.ts. */
  requested?: number;
}

export type OpenRunSource = (run: Pick<Run, "ctx" | "connection" | "mode" | "startedAt">) => Promise<Source>;

/**
 * One execution of a connection's sync: pull, match, map, decide, sweep into one staged plan; then guard; then apply.
 * Throws `busy` when another node runs it; a failed run is recorded, flagged or counted towards quarantine, and rethrown.
 */
export async function runSync(ctx: Context, options: RunOptions): Promise<RunSummary> {
  const { db, keyRing, rehearsal } = options;
  const found = await loadConnection(db.pool, keyRing, options.connection);
  return withSyncLock(db, { connectionId: found.id, name: found.name }, async (lost) => {
    const cancelled = new AbortController();
    const held: Context = { ...ctx, signal: AbortSignal.any([ctx.signal, lost, cancelled.signal]) };
    if (!rehearsal) await resumeApplying(held, { db, keyRing, connectionId: found.id });
    // Loaded again under the lock: a run that has just ended moved the cursor.
    const connection = { ...(await loadConnection(db.pool, keyRing, found.id)), ...rehearsal };
    const mode = rehearsal ? options.mode : effectiveMode(connection, { mode: options.mode, now: ctx.now() });
    if (connection.row.silent_since !== null && mode !== "remap" && !rehearsal) await decideAnew(db.pool, { connectionId: connection.id });
    const begun = await beginRun(held, {
      ...options,
      connection,
      mode,
      planOnly: options.planOnly ?? false,
      rehearsal: rehearsal !== undefined,
      onProgress: options.onProgress ?? (() => undefined),
    });
    const watch = watchRun(held, { db, runId: begun.id, cancel: (reason) => cancelled.abort(reason) });
    const run: Run = {
      ...begun,
      onProgress: (progress) => {
        watch.note(progress);
        begun.onProgress(progress);
      },
    };
    try {
      await pull(run, options);
      await decideTogether(run);
      return await finishRun(run);
    } catch (error) {
      if (cancelled.signal.aborted) {
        await endCancelled(run);
        throw cancelled.signal.reason;
      }
      // Without a database nothing can be recorded: then the next run finds this one open, and says that it crashed.
      await failRun(run, error).catch((unrecorded: unknown) =>
        held.log.error({ err: unrecorded, run: run.id }, "the failure of a run could not be recorded"),
      );
      throw error;
    } finally {
      await watch.stop();
    }
  });
}

/** An incremental run that must read in full does. */
export function effectiveMode(connection: LoadedConnection, { mode, now }: { mode: RunMode; now: Date }): RunMode {
  if (mode !== "incremental") return mode;
  const { lastFullAt, policy, cursor, scopeHash } = connection;
  const sinceFull = lastFullAt === null ? Infinity : now.getTime() - lastFullAt.getTime();
  // One that lies ahead was noted by a clock that has been set back since.
  const due = sinceFull < 0 || sinceFull >= policy.fullEveryHours * 3_600_000;
  return due || cursor === null || scopeHash !== scopeHashOf(connection) ? "full" : "incremental";
}

async function pull(run: Run, { source: given, open }: Pick<RunOptions, "source" | "open">): Promise<void> {
  if (run.mode === "remap") return remapStored(run);
  const source = given ?? (await (open ? open(run) : openSource(run.connection, run.ctx)));
  try {
    if (run.mode === "full") await pullInFull(run, source);
    else await pullChanges(run, source);
  } finally {
    await source.close();
  }
}

async function pullInFull(run: Run, source: Source): Promise<void> {
  for (const kind of kindsOf(run, source)) await timed(run.timings, READ_STAGE[kind], () => readInFull(run, source, kind));
  await timed(run.timings, "sweep", async () => {
    for (const kind of kindsOf(run, source)) await sweepAbsent(run, source, kind);
    await sweepUnread(run, source);
    await settleUnitsMadeAnew(run);
    await readWhoNamesPassedOn(run, source);
  });
}

async function pullChanges(run: Run, source: Source): Promise<void> {
  await timed(run.timings, "remap", () => remapStored(run));
  try {
    for (const kind of kindsOf(run, source)) await timed(run.timings, READ_STAGE[kind], () => readChanges(run, source, kind));
  } catch (error) {
    if (!(error instanceof Fault) || error.kind !== "expired") throw error;
    run.notes.push(`read in full: ${error.message}`);
    return pullInFull(run, source);
  }
  for (const kind of kindsOf(run, source)) await timed(run.timings, READ_STAGE[kind], () => readRefused(run, source, kind));
  await timed(run.timings, READ_STAGE.group, () => readGroupsOfReturned(run, source));
  for (const kind of kindsOf(run, source)) await timed(run.timings, "list ids", () => listIds(run, source, kind));
  await timed(run.timings, "sweep", async () => {
    for (const kind of kindsOf(run, source)) await sweepAbsent(run, source, kind);
    await settleUnitsMadeAnew(run);
    await readWhoNamesPassedOn(run, source);
  });
}
