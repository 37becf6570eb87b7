import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import type { PlanState } from "./plans.ts";

export const RUN_STATES = [
  "queued",
  "pulling",
  "planned",
  "held",
  "applying",
  "done",
  "failed",
  "crashed",
  "cancelled",
  "superseded",
] as const;
export type RunState = (typeof RUN_STATES)[number];

/** States in which a run still moves by itself. */
export const MOVING: ReadonlySet<RunState> = new Set<RunState>(["queued", "pulling", "planned", "applying"]);

export interface RunView {
  id: number;
  connection: string;
  mode: string;
  trigger: string;
  state: RunState;
  /** Who asked for it, where it was asked for by the API. */
  requestedBy: string | null;
  cancelledBy: string | null;
  planOnly: boolean;
  /** While it waits, when it was asked for. */
  startedAt: Date;
  finishedAt: Date | null;
  /** Records read, changed and refused, by kind. */
  read: Readonly<Record<string, { read: number; changed: number; problems: number }>>;
  /** Why nothing was swept, and the like. */
  notes: string[];
  /** What proved that a read was complete, by kind. */
  evidence: Readonly<Record<string, unknown>>;
  problems: number;
  errorCode: string | null;
  error: string | null;
  node: string | null;
  planId: number | null;
  planState: PlanState | null;
  /** Items by kind and action. */
  plan: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

// A failed run has its counts without the notes.
const RUN = `r.id, c.name as connection, r.mode, r.trigger, r.state, r.requested_by as "requestedBy", r.cancelled_by as "cancelledBy", r.plan_only as "planOnly",
  r.started_at as "startedAt", r.finished_at as "finishedAt", case when r.counts ? 'read' and r.counts ? 'notes' then r.counts -> 'read' else r.counts end as read,
  coalesce(r.counts -> 'notes', '[]') as notes, r.evidence, (select count(*) from run_problems x where x.run_id = r.id) as problems,
  r.error_code as "errorCode", r.error_message as error, r.node, p.id as "planId", p.state as "planState", coalesce(p.counts, '{}') as plan
  from runs r join connections c on c.id = r.connection_id left join plans p on p.run_id = r.id`;

export interface ListRunsOptions {
  connection?: string | undefined;
  state?: RunState | undefined;
  /** Runs older than this one. */
  before?: number | undefined;
  limit: number;
}

/** Runs, the newest first. */
export async function listRuns(sql: Sql, { connection, state, before, limit }: ListRunsOptions): Promise<RunView[]> {
  const { rows } = await sql.query<RunView>(
    `select ${RUN} where ($1::text is null or c.name = $1) and ($2::text is null or r.state = $2) and ($3::bigint is null or r.id < $3) order by r.id desc limit $4`,
    [connection ?? null, state ?? null, before ?? null, limit],
  );
  return rows;
}

/** The four times of what a run decided: the newest of each; null where the source tells none, or the details have been pruned. */
export interface RunTimes {
  changedAt: Date | null;
  seenAt: Date | null;
  decidedAt: Date | null;
  appliedAt: Date | null;
}

/** One run. Throws `not_found`. */
export async function readRun(sql: Sql, runId: number): Promise<RunView & { times: RunTimes }> {
  const { rows } = await sql.query<RunView & RunTimes>(
    `select t.*, ${RUN} left join lateral (select max(i.source_changed_at) as "changedAt", max(i.seen_at) as "seenAt" from plan_items i where i.plan_id = p.id) s on true
       left join lateral (select s."changedAt", s."seenAt", p.closed_at as "decidedAt", p.applied_at as "appliedAt") t on true where r.id = $1`,
    [runId],
  );
  const [row] = rows;
  if (!row) throw new AppError("not_found", `There is no run ${runId}.`, { field: "run" });
  const { changedAt, seenAt, decidedAt, appliedAt, ...run } = row;
  return { ...run, times: { changedAt, seenAt, decidedAt, appliedAt } };
}

/** A record that could not be taken in as it is. */
export interface RunProblem {
  id: number;
  kind: string;
  nativeId: string;
  code: string;
  message: string;
}

export async function listRunProblems(
  sql: Sql,
  { runId, after, limit }: { runId: number; after?: number | undefined; limit: number },
): Promise<RunProblem[]> {
  const { rows } = await sql.query<RunProblem>(
    `select id, kind, native_id as "nativeId", code, message from run_problems where run_id = $1 and id > $2 order by id limit $3`,
    [runId, after ?? 0, limit],
  );
  return rows;
}
