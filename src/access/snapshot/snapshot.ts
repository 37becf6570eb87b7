import type { Logger } from "pino";
import type { Database } from "../../db/database.ts";
import { AppError, messageOf } from "../../errors.ts";
import type { Changes } from "./changes.ts";
import { followAccess, type Feed, type View } from "./feed.ts";

export interface SnapshotStatus {
  /** idle: nobody has asked yet; loading: being read; ready; stale: changes may be missing, and nothing is answered. */
  state: "idle" | "loading" | "ready" | "stale";
  asOf: Date | null;
  revision: string | null;
  /** Milliseconds since the last look at the database began; null before the first. */
  ageMs: number | null;
  /** How many people, units, groups, and roles with their permissions have been met. */
  people: number;
  units: number;
  groups: number;
  roles: number;
  /** Of the people's facts; what else there is stays far below. */
  bytes: number;
  /** How often everything was read, and how many changes were read alone. */
  readAnew: number;
  changes: number;
}

/** Effective access in memory, right within MOST_AGE_MS of any change on any node, or not answering. */
export interface AccessSnapshot {
  /** What can be asked at this very moment; undefined where `ready` would have to wait. Reads nothing. */
  now(): View | undefined;
  /** What can be asked now. Reads everything at the first call. Throws `unavailable` when it can't be right. */
  ready(): Promise<View>;
  /** As `ready`, with everything that was committed before the call. */
  current(): Promise<View>;
  /**
   * Tells of what has changed, before anything is answered that shows it: ids of people and tokens; null for whatever there is. Whoever keeps
   * an answer of the database, asked after the last telling, and drops it at the next one that concerns it, keeps nothing older than the snapshot.
   */
  onChange(tell: (ids: ReadonlySet<string> | null) => void): void;
  status(): SnapshotStatus;
}

/** No answer stands on an older look at the database. */
export const MOST_AGE_MS = 1000;
/** How long who asks waits for a look, and for the first one, which reads everything. */
const PATIENCE_MS = 1000;
const PATIENCE_AT_FIRST_MS = 5000;
/** Nobody has asked for so long: the memory is given back. */
const FORGOTTEN_AFTER_MS = 3_600_000;

export interface SnapshotOptions {
  db: Pick<Database, "url" | "closing">;
  log: Logger;
  now: () => Date;
  /** See FeedOptions. */
  readWithinMs?: number;
}

interface Waiting {
  since: number;
  resolve(view: View): void;
}

export function createAccessSnapshot({ db, log, now, readWithinMs }: SnapshotOptions): AccessSnapshot {
  let feed: Feed | undefined;
  let latest: { view: View; begun: number } | undefined;
  let lost = false;
  let asked = 0;
  const counts = { readAnew: 0, changes: 0 };
  let waiting: Waiting[] = [];
  const told: ((ids: ReadonlySet<string> | null) => void)[] = [];

  const start = (): Feed =>
    followAccess({
      db,
      log,
      now,
      readWithinMs,
      onLook({ view, begun, readAnew, changes }) {
        tell(readAnew ? null : named(changes));
        latest = { view, begun };
        counts.readAnew += Number(readAnew);
        counts.changes += changes.length;
        if (readAnew) log.info({ ms: Math.round(performance.now() - begun), ...sizes(view) }, "the access snapshot was read");
        if (lost) log.info("the access snapshot has its feed again");
        lost = false;
        // One that took long is too old already: the next one, which has little to read, will do.
        const recent = performance.now() - begun <= MOST_AGE_MS;
        const served = waiting.filter(({ since }) => recent && begun >= since);
        waiting = waiting.filter((each) => !served.includes(each));
        for (const { resolve } of served) resolve(view);
        if (waiting.length > 0) feed?.wake();
        if (performance.now() - asked > FORGOTTEN_AFTER_MS) forget();
      },
      onLost(error) {
        if (!lost)
          log.warn({ reason: messageOf(error) }, "the access snapshot has lost its feed; it answers nothing until it has it again");
        lost = true;
      },
    });

  const tell = (ids: ReadonlySet<string> | null) => {
    if (ids === null || ids.size > 0) for (const each of told) each(ids);
  };

  const forget = () => {
    feed?.stop();
    feed = undefined;
    latest = undefined;
  };

  /** Waits for a look that is recent enough and began at `since` or later. */
  const after = (since: number): Promise<View> => {
    asked = performance.now();
    feed ??= start();
    feed.wake();
    return new Promise((resolve, reject) => {
      const own: Waiting = {
        since,
        resolve(view) {
          clearTimeout(timer);
          resolve(view);
        },
      };
      const timer = setTimeout(
        () => {
          waiting = waiting.filter((each) => each !== own);
          reject(unavailable(latest !== undefined));
        },
        latest ? PATIENCE_MS : PATIENCE_AT_FIRST_MS,
      );
      waiting.push(own);
    });
  };

  return {
    now: () => (!db.closing.aborted && latest && performance.now() - latest.begun <= MOST_AGE_MS ? latest.view : undefined),
    onChange: (tellOne) => void told.push(tellOne),
    async ready() {
      asked = performance.now();
      if (db.closing.aborted) throw unavailable(true);
      if (latest && asked - latest.begun <= MOST_AGE_MS) return latest.view;
      return after(0);
    },
    async current() {
      if (db.closing.aborted) throw unavailable(true);
      return after(performance.now());
    },
    status() {
      const ageMs = latest ? performance.now() - latest.begun : null;
      return {
        state: ageMs === null ? (feed ? "loading" : "idle") : ageMs <= MOST_AGE_MS ? "ready" : "stale",
        asOf: latest?.view.asOf ?? null,
        revision: latest?.view.revision ?? null,
        ageMs: ageMs === null ? null : Math.round(ageMs),
        ...(latest ? sizes(latest.view) : { people: 0, units: 0, groups: 0, roles: 0, bytes: 0 }),
        ...counts,
      };
    },
  };
}

function named(changes: Changes["changes"]): ReadonlySet<string> {
  return new Set(changes.flatMap(({ kind, ids }) => (kind === "person" || kind === "token" ? ids : [])));
}

function sizes({ tables }: View): Pick<SnapshotStatus, "people" | "units" | "groups" | "roles" | "bytes"> {
  return {
    people: tables.people.numbering.size(),
    units: tables.units.numbering.size(),
    groups: tables.groups.numbering.size(),
    roles: tables.roles.numbering.size(),
    bytes: tables.people.packed.bytes(),
  };
}

function unavailable(known: boolean): AppError {
  return new AppError(
    "unavailable",
    known
      ? "What is known of access is older than a second, because the database does not tell of its changes; so nothing is answered. Ask again soon."
      : "Access is being read into memory for the first time. Ask again soon.",
    { retryAfter: known ? 1 : 2 },
  );
}
