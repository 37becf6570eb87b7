import { Fault } from "../../connectors/contract.ts";
import { recordEvent } from "../audit/record.ts";
import type { LoadedConnection } from "../connections/open.ts";
import type { Sql, Work } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";
import { AppError, messageOf } from "../errors.ts";
import type { RunMode, RunTrigger } from "./begin.ts";

export interface RunRequest {
  connection: LoadedConnection;
  mode: RunMode;
  /** Stop with a plan that waits for approval. */
  planOnly: boolean;
}

/**
 * Asks for a run: it waits in state `queued` until a worker is free and no other run of the connection is under way. Returns its id.
 * Throws `conflict` when one waits already, when the connection is disabled, and when it is none that is read.
 */
export async function requestRun(work: Work, { connection, mode, planOnly }: RunRequest): Promise<number> {
  const { ctx, sql } = work;
  const { id: connectionId, name, connector, row } = connection;
  if (!row.enabled) throw new AppError("conflict", `The connection ${name} is disabled: enable it first.`, { field: "connection" });
  if (!connector.openSource && mode !== "remap")
    throw new AppError("conflict", `The connection ${name} is not read from: its system comes to us.`, { field: "connection" });
  const { rows } = await sql.query<{ id: number }>(
    `insert into runs (connection_id, mode, trigger, state, started_at, requested_by, plan_only) values ($1, $2, 'api', 'queued', $3, $4, $5)
     on conflict (connection_id) where state = 'queued' do nothing returning id`,
    [connectionId, mode, ctx.now(), ctx.actor, planOnly],
  );
  const runId = rows[0]?.id;
  if (runId === undefined) throw await waitsAlready(sql, { connectionId, name });
  await recordEvent(work, {
    name: "run.requested",
    subjectType: "run",
    subjectId: String(runId),
    data: { run: runId, mode, planOnly },
  });
  await wakeRequested(sql, { connectionId, mode, runId });
  return runId;
}

async function waitsAlready(sql: Sql, { connectionId, name }: { connectionId: number; name: string }): Promise<AppError> {
  const { rows } = await sql.query<{ id: number }>("select id from runs where connection_id = $1 and state = 'queued'", [connectionId]);
  return new AppError("conflict", `Run ${rows[0]?.id ?? ""} of ${name} waits for a worker already: follow it, or cancel it first.`, {
    field: "connection",
  });
}

/** Lets a worker begin with it, now or later. */
export async function wakeRequested(
  sql: Sql,
  { connectionId, mode, runId, runAt }: { connectionId: number; mode: RunMode; runId: number; runAt?: Date },
): Promise<void> {
  await enqueue(sql, {
    job: "sync",
    payload: { connectionId, mode, trigger: "api", runId },
    key: `sync:${connectionId}:run:${runId}`,
    maxAttempts: 3,
    ...(runAt ? { runAt } : {}),
  });
}

/** What was asked for, for the worker that begins with it. */
export async function requestedRun(
  sql: Sql,
  runId: number,
): Promise<{ state: string; code: string | null; planOnly: boolean } | undefined> {
  const { rows } = await sql.query<{ state: string; code: string | null; planOnly: boolean }>(
    'select state, error_code as code, plan_only as "planOnly" from runs where id = $1',
    [runId],
  );
  return rows[0];
}

export interface TakeOptions {
  runId: number | undefined;
  mode: RunMode;
  trigger: RunTrigger;
  startedAt: Date;
  cursor: unknown;
  node: string;
}

/** Turns a run that waits into one that is under way; undefined when none waits (its node died and it is begun anew). Throws `conflict` for a cancelled one. */
export async function takeRequested(sql: Sql, { runId, mode, trigger, startedAt, cursor, node }: TakeOptions): Promise<number | undefined> {
  if (runId === undefined) return undefined;
  const { rowCount } = await sql.query(
    "update runs set state = 'pulling', mode = $2, trigger = $3, started_at = $4, cursor_before = $5, node = $6 where id = $1 and state = 'queued'",
    [runId, mode, trigger, startedAt, JSON.stringify(cursor), node],
  );
  if (rowCount === 1) return runId;
  if ((await requestedRun(sql, runId))?.state === "cancelled")
    throw new AppError("conflict", `Run ${runId} was cancelled.`, { field: "run" });
  return undefined;
}

/** Notes that a run could not even begin. One that began has recorded itself. */
export async function failRequested(work: Work, { runId, error }: { runId: number; error: unknown }): Promise<void> {
  const code = error instanceof Fault ? error.kind : error instanceof AppError ? error.code : "internal";
  await work.sql.query(
    "update runs set state = 'failed', finished_at = $2, error_code = $3, error_message = $4 where id = $1 and state = 'queued'",
    [runId, work.ctx.now(), code, messageOf(error)],
  );
}
