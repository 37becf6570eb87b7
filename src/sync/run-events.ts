import { setTimeout as wait } from "node:timers/promises";
import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { MOVING, readRun, type RunState } from "./run-list.ts";

/** What happened to a run, as it is told to who watches. */
export type RunEvent =
  | { event: "state"; id: number; data: { state: RunState; at: Date } }
  | { event: "progress"; id: number; data: { stage: string; done: number; total?: number; at: Date } }
  /** Nothing happened for a while, and the watch goes on. */
  | { event: "heartbeat"; data: { at: Date } }
  /** The last one: the run as it ended, or waits for approval. */
  | { event: "end"; data: Awaited<ReturnType<typeof readRun>> };

export interface FollowOptions {
  runId: number;
  /** Only what came after this event. */
  after: number;
  signal: AbortSignal;
  now: () => Date;
  /** How often it is looked. */
  everyMs?: number;
  heartbeatMs?: number;
}

const EVERY_MS = 500;
const HEARTBEAT_MS = 15_000;
const AT_ONCE = 500;

/** Follows a run on whatever node it is, by what it writes into the database, until it has ended or waits for a human. Throws `not_found`. */
export async function* followRun(sql: Sql, options: FollowOptions): AsyncGenerator<RunEvent> {
  const { runId, signal, now, everyMs = EVERY_MS, heartbeatMs = HEARTBEAT_MS } = options;
  let last = options.after;
  let told = now().getTime();
  while (!signal.aborted) {
    // The state first: what is written before it has moved on is there when the events are read.
    const state = await stateOf(sql, runId);
    const events = await eventsAfter(sql, { runId, after: last });
    for (const event of events) {
      if (signal.aborted) return;
      yield event;
      last = event.id;
    }
    if (events.length === AT_ONCE) continue;
    if (!MOVING.has(state)) return void (yield { event: "end", data: await readRun(sql, runId) });
    if (events.length > 0) told = now().getTime();
    else if (now().getTime() - told >= heartbeatMs) {
      told = now().getTime();
      yield { event: "heartbeat", data: { at: now() } };
    }
    // Aborted means that nobody listens any more.
    await wait(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

async function stateOf(sql: Sql, runId: number): Promise<RunState> {
  const { rows } = await sql.query<{ state: RunState }>("select state from runs where id = $1", [runId]);
  if (!rows[0]) throw new AppError("not_found", `There is no run ${runId}.`, { field: "run" });
  return rows[0].state;
}

type Stored = Extract<RunEvent, { id: number }>;

async function eventsAfter(sql: Sql, { runId, after }: { runId: number; after: number }): Promise<Stored[]> {
  const { rows } = await sql.query<Stored & { at: Date }>(
    `select id, event, data, at from run_events where run_id = $1 and id > $2 order by id limit ${AT_ONCE}`,
    [runId, after],
  );
  return rows.map(({ at, ...row }) => ({ ...row, data: { ...row.data, at } }) as Stored);
}
