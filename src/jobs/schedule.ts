import { createTask, parse, type ScheduledTask } from "node-cron";
import type { Logger } from "pino";
import { wakeTelling } from "../auth/addresses/tell-changes.ts";
import { struckBefore } from "../connections/repeated-hour.ts";
import { createContext, type Context } from "../context.ts";
import { CLOCKS_APART_MS } from "../db/agreed-clock.ts";
import { inTransaction, type Database, type Work } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";
import { wakeWhatWaits } from "../provision/wake.ts";
import { handOverSilent } from "../sync/silence.ts";
import { lastStroke } from "./missed-stroke.ts";

export interface ScheduleOptions {
  db: Database;
  log: Logger;
  now?: () => Date;
  /** How often changed connections are looked for. */
  reloadMs?: number;
}

export interface Schedule {
  /** Reads the connections' schedules now. */
  reload(): Promise<void>;
  /** What is scheduled: `sync:3`, `reconcile:4`. */
  names(): string[];
  stop(): Promise<void>;
}

interface Entry {
  name: string;
  job: "sync" | "reconcile";
  connectionId: number;
  expression: string;
  timeZone: string;
  /** Of the connection: what it should have done before that, another schedule may have said. */
  updatedAt: Date;
}

interface Clock {
  task: ScheduledTask;
  signature: string;
  /** Until then it has been looked whether it struck when it should. */
  lookedUntil: Date;
}

const RELOAD_MS = 10_000;
/** A clock may be so late before somebody else makes up for it. */
const LATE_MS = 60_000;
/** So far back: of what was missed longer ago, the next stroke comes soon. A clock that strikes once a month is no clock for leavers. */
const LOOK_BACK_MS = 8 * 86_400_000;
/** What a clock that was wrong has left further ahead than clocks may differ says nothing of what was done: nobody waits until it is reached. */
const IS_WRONG = `watermarks.at > excluded.at + interval '${CLOCKS_APART_MS} ms'`;
/** "rollcall wake" as a number for pg_try_advisory_xact_lock. */
const WAKE_LOCK = 7_305_005;

/**
 * Keeps a clock per connection that has a schedule. A clock only enqueues: every node has the same ones, and the database
 * lets the first of them through. Connections that are disabled, flagged or quarantined have none. A stroke that nobody heard (no node
 * was up, the database was away, the process had its hands full for longer than a timer may be late) is made up for, the last one only.
 */
export async function startSchedule({ db, log, now, reloadMs = RELOAD_MS }: ScheduleOptions): Promise<Schedule> {
  const ctx = createContext({ actor: "system", log, ...(now ? { now } : {}) });
  const clocks = new Map<string, Clock>();
  let reloadedAt = new Date(0);

  async function drop(name: string): Promise<void> {
    await clocks.get(name)?.task.destroy();
    clocks.delete(name);
  }

  async function reload(): Promise<void> {
    const entries = await readEntries(db);
    const at = ctx.now();
    // Set back: those that are kept would strike next when that time comes again.
    if (at.getTime() < reloadedAt.getTime() - LATE_MS) for (const name of [...clocks.keys()]) await drop(name);
    reloadedAt = at;
    for (const name of [...clocks.keys()]) if (!entries.some((entry) => entry.name === name)) await drop(name);
    for (const entry of entries) {
      const signature = `${entry.expression} ${entry.timeZone}`;
      const known = clocks.get(entry.name);
      if (known?.signature === signature) {
        await makeUp(known, entry);
        continue;
      }
      await drop(entry.name);
      try {
        const task = createTask(
          entry.expression,
          ({ date }) => (struckBefore(date, entry) ? undefined : fire(ctx, { db, entry, at: date })),
          {
            timezone: entry.timeZone,
            name: entry.name,
            unref: true,
          },
        );
        await task.start();
        clocks.set(entry.name, { task, signature, lookedUntil: new Date(ctx.now().getTime() - LOOK_BACK_MS) });
      } catch (error) {
        log.error({ err: error, schedule: entry.name }, `the schedule "${entry.expression}" in ${entry.timeZone} can't be kept`);
      }
      const made = clocks.get(entry.name);
      if (made) await makeUp(made, entry);
    }
  }

  /** Strikes for a clock that did not when it should have; whether another node did, the database knows. */
  async function makeUp(clock: Clock, entry: Entry): Promise<void> {
    const until = new Date(ctx.now().getTime() - LATE_MS);
    const after = entry.updatedAt > clock.lookedUntil ? entry.updatedAt : clock.lookedUntil;
    const match = (date: Date) => clock.task.match(date) && !struckBefore(date, entry);
    const strikes = { seconds: parse(entry.expression).second, match };
    const missed = lastStroke(strikes, { after, until });
    if (missed && (await strike(ctx, { db, entry, at: missed })))
      log.warn({ schedule: entry.name, at: missed }, "a stroke of the schedule was missed; it is made up for");
    if (until > clock.lookedUntil) clock.lookedUntil = until;
  }

  async function tick(): Promise<void> {
    try {
      await reload();
      await wake(ctx, db);
    } catch (error) {
      log.warn({ err: error }, "the schedules could not be read; tried again soon");
    }
  }

  let ticking = tick();
  await ticking;
  const timer = setInterval(() => {
    ticking = ticking.then(tick);
  }, reloadMs);
  timer.unref();
  return {
    reload,
    names: () => [...clocks.keys()].sort(),
    async stop() {
      clearInterval(timer);
      await ticking;
      for (const name of [...clocks.keys()]) await drop(name);
    },
  };
}

async function readEntries(db: Database): Promise<Entry[]> {
  const { rows } = await db.pool.query<{
    id: number;
    schedule: string | null;
    reconcile: string | null;
    time_zone: string;
    updated_at: Date;
  }>(
    `select id, schedule, policy -> 'provision' ->> 'reconcile' as reconcile, time_zone, updated_at from connections
     where enabled and state = 'ready' and (schedule is not null or policy -> 'provision' ->> 'reconcile' is not null) order by id`,
  );
  return rows.flatMap(({ id, schedule, reconcile, time_zone: timeZone, updated_at: updatedAt }) => {
    const shared = { connectionId: id, timeZone, updatedAt };
    return [
      ...(schedule === null ? [] : [{ ...shared, name: `sync:${id}`, job: "sync" as const, expression: schedule }]),
      ...(reconcile === null ? [] : [{ ...shared, name: `reconcile:${id}`, job: "reconcile" as const, expression: reconcile }]),
    ];
  });
}

/** Strikes; a failure is logged, and made up for. Returns whether it was this one that struck. */
export async function fire(ctx: Context, stroke: Stroke): Promise<boolean> {
  try {
    return await strike(ctx, stroke);
  } catch (error) {
    ctx.log.error({ err: error, schedule: stroke.entry.name }, "a scheduled job could not be enqueued; it is tried again soon");
    return false;
  }
}

interface Stroke {
  db: Database;
  entry: Pick<Entry, "name" | "job" | "connectionId">;
  at: Date;
}

/** Enqueues for one stroke of the clock, once over all nodes, however far apart their own clocks strike. Returns whether it was this one. */
async function strike(ctx: Context, { db, entry, at }: Stroke): Promise<boolean> {
  const stroke = new Date(Math.floor(at.getTime() / 1000) * 1000);
  return inTransaction(db, ctx, async ({ sql }) => {
    const { rowCount } = await sql.query(
      "insert into watermarks (key, at) values ($1, $2) on conflict (key) do update set at = excluded.at where watermarks.at < excluded.at or watermarks.at > $3",
      [`schedule:${entry.name}`, stroke, new Date(ctx.now().getTime() + CLOCKS_APART_MS)],
    );
    if (rowCount === 0) return false;
    const key = `${entry.name}:${stroke.toISOString()}`;
    const { connectionId } = entry;
    if (entry.job === "sync")
      await enqueue(sql, { job: "sync", payload: { connectionId, mode: "incremental", trigger: "schedule" }, key, maxAttempts: 3 });
    else await enqueue(sql, { job: "reconcile", payload: { connectionId }, key, maxAttempts: 3 });
    return true;
  });
}

/** One node at a time looks for work whose wake-up was lost. */
async function wake(ctx: Context, db: Database): Promise<void> {
  await inTransaction(db, ctx, async (work: Work) => {
    const { rows } = await work.sql.query<{ mine: boolean }>("select pg_try_advisory_xact_lock($1) as mine", [WAKE_LOCK]);
    if (!rows[0]?.mine) return;
    await wakeWhatWaits(work);
    await handOverSilent(work);
    await onceADay(work);
    await keepHooksOften(work);
    await refreshWhatIsDue(work);
    await wakeTelling(work);
    await lookForIncidents(work);
  });
}

async function onceADay({ ctx, sql }: Work): Promise<void> {
  const { rowCount } = await sql.query(
    `insert into watermarks (key, at) values ('prune_runs', $1) on conflict (key) do update set at = excluded.at where watermarks.at < excluded.at - interval '1 day' or ${IS_WRONG}`,
    [ctx.now()],
  );
  if (rowCount === 0) return;
  await enqueue(sql, { job: "prune_runs", payload: {}, key: "prune_runs" });
  await enqueue(sql, { job: "look_after_things", payload: {}, key: "look_after_things" });
}

/** Renewals come long before the end; this is how soon a subscription that was lost without a word is made again. */
async function keepHooksOften({ ctx, sql }: Work): Promise<void> {
  const { rowCount } = await sql.query(
    `insert into watermarks (key, at) values ('keep_hooks', $1) on conflict (key) do update set at = excluded.at where watermarks.at < excluded.at - interval '10 minutes' or ${IS_WRONG}`,
    [ctx.now()],
  );
  if (rowCount !== 0) await enqueue(sql, { job: "keep_hooks", payload: {}, key: "keep_hooks" });
}

async function refreshWhatIsDue({ ctx, sql }: Work): Promise<void> {
  const { rows } = await sql.query<{ due: boolean }>(
    "select exists (select from offline_grants o join connections c on c.id = o.connection_id and c.enabled where o.due_at <= $1) as due",
    [ctx.now()],
  );
  if (rows[0]?.due) await enqueue(sql, { job: "refresh_claims", payload: {}, key: "refresh_claims", queue: "refresh_claims" });
}

/** What must be answered sooner is looked at when somebody gets in. */
async function lookForIncidents({ ctx, sql }: Work): Promise<void> {
  const { rowCount } = await sql.query(
    `insert into watermarks (key, at) values ('look_for_incidents', $1) on conflict (key) do update set at = excluded.at where watermarks.at <= excluded.at - interval '1 minute' or ${IS_WRONG}`,
    [ctx.now()],
  );
  if (rowCount !== 0)
    await enqueue(sql, { job: "detect_incidents", payload: {}, key: "detect_incidents", queue: "detect_incidents", maxAttempts: 3 });
}
