import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "pino";
import type { Database, Sql } from "../../db/database.ts";
import { listen, type Listener } from "../../db/listen.ts";
import { CHANNEL, readChanged, readChanges, readEverything, readMoment, type Changes } from "./changes.ts";
import { createTables, type Tables } from "./tables.ts";

/** The tables with what they are known as of. */
export interface View {
  tables: Tables;
  /** Whatever was committed before this instant of our clock is in them. */
  asOf: Date;
  /** The moment of the database that they show. */
  revision: string;
  server: string;
  /** The earliest instant that can be asked about: what had ended before was not read. */
  since: Date;
}

export interface FeedOptions {
  db: Pick<Database, "url" | "closing">;
  log: Logger;
  now: () => Date;
  /** After each look that succeeded; `begun` is when it began, by performance.now(), `changes` what was heard of since the one before. */
  onLook: (look: { view: View; begun: number; readAnew: boolean; changes: Changes["changes"] }) => void;
  /** After the connection was lost, or could not be opened. */
  onLost: (error: unknown) => void;
  /** How long a statement that reads anew may take; half a minute when absent. */
  readWithinMs?: number | undefined;
}

export interface Feed {
  /** Looks as soon as may be. */
  wake(): void;
  stop(): void;
}

/** How often changes are looked for when no notification comes; a lost one costs no more than this. */
const LOOK_EVERY_MS = 250;
/** A flood of notifications is answered by so many looks at most. */
const LOOK_AT_MOST_EVERY_MS = 10;
/** A server that says nothing for so long is taken for gone. */
const LOOK_WITHIN_MS = 2000;
/** The same for a statement that reads what has changed, or a part of everything: some seconds of work at the most. */
const READ_WITHIN_MS = 30_000;
const COME_BACK_AFTER_MS = [20, 100, 250, 500, 1000];
/** Clocks that are set back by less need no reading anew. */
const REMEMBERED_MS = 3_600_000;

/**
 * Keeps the tables in step with the database until it is stopped: at every notification, and without any several times a second.
 * Notifications only wake it; what is new follows from the database's own snapshots, so that none that is lost matters.
 */
export function followAccess({ db, log, now, onLook, onLost, readWithinMs = READ_WITHIN_MS }: FeedOptions): Feed {
  let view: View | undefined;
  const stopped = new AbortController();
  let listener: Listener | undefined;
  let awake = false;
  let wakeUp: () => void = () => undefined;

  const wake = () => {
    awake = true;
    wakeUp();
  };
  const stop = () => {
    stopped.abort();
    listener?.close();
    wake();
  };
  db.closing.addEventListener("abort", stop, { signal: stopped.signal });

  const sleep = async (ms: number): Promise<void> => {
    const asleep = new AbortController();
    wakeUp = () => asleep.abort();
    if (!awake) await wait(ms, undefined, { ref: false, signal: asleep.signal }).catch(() => undefined);
    awake = false;
  };

  const look = async (sql: Sql): Promise<void> => {
    const [begun, asOf] = [performance.now(), now()];
    const before = view && asOf >= view.since ? view : undefined;
    const found = before && (await within(LOOK_WITHIN_MS, readChanges(sql, before)));
    const next = before && found && canFollow(before, found) && (found.changes.length === 0 ? found : await catchUp(sql, before));
    if (!before || !next) {
      view = await readAnew(sql, asOf);
      onLook({ view, begun, readAnew: true, changes: [] });
      return;
    }
    view = { ...before, asOf, revision: next.revision };
    onLook({ view, begun, readAnew: false, changes: next.changes });
  };

  /** Looks again in a transaction, so that all that is read is of one moment; undefined if everything must be read anew. */
  const catchUp = async (sql: Sql, before: View): Promise<Changes | undefined> => {
    const { found, put } = await inOneMoment(impatient(sql, readWithinMs), async (reading) => {
      const again = await readChanges(reading, before);
      return {
        found: again,
        put: canFollow(before, again) ? await readChanged(reading, { ...before, changes: again.changes }) : undefined,
      };
    });
    // Half of it must never be asked: if this fails, everything is read anew.
    view = undefined;
    put?.();
    return put && found;
  };

  const readAnew = (sql: Sql, asOf: Date): Promise<View> =>
    inOneMoment(impatient(sql, readWithinMs), async (reading) => {
      const [tables, since] = [createTables(), new Date(asOf.getTime() - REMEMBERED_MS)];
      const moment = await readMoment(reading);
      await readEverything(reading, { tables, since });
      return { tables, asOf, since, ...moment };
    });

  const follow = async (): Promise<void> => {
    for (let failures = 0; !stopped.signal.aborted; failures += 1) {
      const ended = new AbortController();
      try {
        listener = await listen({
          url: db.url,
          channel: CHANNEL,
          applicationName: `rollcall:${process.pid}:access`,
          onNotification: wake,
          onEnd() {
            ended.abort();
            wake();
          },
        });
        while (!stopped.signal.aborted && !ended.signal.aborted) {
          await look(listener);
          failures = 0;
          await wait(LOOK_AT_MOST_EVERY_MS, undefined, { ref: false });
          await sleep(LOOK_EVERY_MS);
        }
        if (!stopped.signal.aborted) onLost(new Error("the connection that hears of changes has ended"));
      } catch (error) {
        if (!stopped.signal.aborted) onLost(error);
      }
      listener?.close();
      if (!stopped.signal.aborted)
        await wait(COME_BACK_AFTER_MS[Math.min(failures, COME_BACK_AFTER_MS.length - 1)], undefined, { ref: false });
    }
  };
  follow().catch((error: unknown) => log.error({ err: error }, "the access snapshot is followed no longer"));
  return { wake, stop };
}

/** Whether what is known and these changes are all that there is. */
function canFollow(before: View, { missed, server, changes }: Changes): boolean {
  return !missed && server === before.server && !changes.some(({ kind }) => kind === "all");
}

async function inOneMoment<T>(reading: Sql, read: (reading: Sql) => Promise<T>): Promise<T> {
  await reading.query("begin isolation level repeatable read, read only");
  const result = await read(reading);
  await reading.query("commit");
  return result;
}

/** A way that falls silent in the middle of a reading is told as lost by nobody for minutes, or hours. */
function impatient(sql: Sql, ms: number): Sql {
  const ask = sql.query.bind(sql) as (...asked: unknown[]) => Promise<unknown>;
  return { query: ((...asked: unknown[]) => within(ms, ask(...asked))) as Sql["query"] };
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = wait(ms, undefined, { ref: false, signal: over.signal }).then(() => {
    throw new Error(`PostgreSQL did not answer within ${ms} ms`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    over.abort();
    late.catch(() => undefined);
  }
}
