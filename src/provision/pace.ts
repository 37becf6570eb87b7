/** How a delivery went: nothing was asked of the target, it answered, or it left us waiting. */
export type Pass = "nothing" | "answered" | "silent";

export interface Told {
  /** The target asked to be left alone for so long. */
  retryAfterMs?: number | undefined;
}

/** Keeps targets that are slow, or hang, from taking all workers of this process: everybody else's leavers would wait behind them. */
export interface Pace {
  /** Lets a delivery begin, to be told of its end, or says after how many milliseconds it is to come again. */
  enter(connectionId: number): { putOffMs: number } | { leave(pass: Pass, told?: Told): void };
}

export interface PaceOptions {
  /** Deliveries to slow targets at once, all of them together. */
  slowAtOnce: number;
  /** A delivery that takes longer is slow. */
  slowMs?: number;
  /** Milliseconds of a clock that is never set. */
  elapsed?: () => number;
  /** Between 0 and 1. */
  random?: () => number;
}

interface Known {
  /** When those under way began. */
  readonly begun: Set<{ at: number }>;
  slow: boolean;
  /** What its last delivery took. */
  tookMs: number;
  /** Times in a row that it left us waiting. */
  silences: number;
  silentSince: number;
  restsUntil: number;
  /** Up to when the target has asked to be left alone. */
  closedUntil: number;
  /** Up to when it has enough to do with those that were put off. */
  busyUntil: number;
}

const SLOW_MS = 5_000;
const LONGEST_STEP_MS = 10_000;
/** The longest first rest; after a shorter silence it is as long as that was. */
const FIRST_REST_MS = 30_000;
const LONGEST_MS = 300_000;
/** Between those who waited for a target that asked to be left alone: quick ones, of which it takes as many as it will. */
const THROTTLED_STEP_MS = 50;

/**
 * A target that does not answer is asked by one delivery at a time, and rests in between, the longer the oftener. One that asks to be left
 * alone (Retry-After) is: everybody else's requests would be refused, too, count against its limit, and use up the tries of their accounts.
 */
export function createPace({ slowAtOnce, slowMs = SLOW_MS, elapsed = () => performance.now(), random = Math.random }: PaceOptions): Pace {
  const targets = new Map<number, Known>();
  const isSlow = ({ slow, begun }: Known, now: number) => slow || [...begun].some(({ at }) => now - at >= slowMs);
  const slowNow = (now: number) => [...targets.values()].reduce((sum, each) => sum + (isSlow(each, now) ? each.begun.size : 0), 0);

  return {
    enter(connectionId) {
      const now = elapsed();
      const known = targets.get(connectionId) ?? unknown();
      targets.set(connectionId, known);
      if (now < known.closedUntil) return { putOffMs: putOff(known, { now, stepMs: THROTTLED_STEP_MS }) };
      if (isSlow(known, now)) {
        const most = known.silences > 0 ? 1 : slowAtOnce;
        if (now < known.restsUntil || known.begun.size >= most || slowNow(now) >= slowAtOnce)
          return { putOffMs: putOff(known, { now, stepMs: Math.min(Math.max(known.tookMs, slowMs), LONGEST_STEP_MS) }) };
      }
      const one = { at: now };
      known.begun.add(one);
      return {
        leave(pass, { retryAfterMs = 0 } = {}) {
          known.begun.delete(one);
          const ended = elapsed();
          if (pass !== "nothing") learn(known, { pass, began: one.at, now: ended });
          known.closedUntil = Math.max(known.closedUntil, ended + Math.min(retryAfterMs, LONGEST_MS));
        },
      };
    },
  };

  function learn(known: Known, { pass, began, now }: { pass: Pass; began: number; now: number }): void {
    const tookMs = now - began;
    if (tookMs < slowMs) return void Object.assign(known, { ...unknown(), begun: known.begun, closedUntil: known.closedUntil });
    known.slow = true;
    known.tookMs = tookMs;
    if (pass === "answered") {
      known.silences = 0;
      known.restsUntil = 0;
    } else if (began >= known.silentSince) {
      // Those that began together tell of one silence.
      known.silences += 1;
      known.silentSince = now;
      known.restsUntil = now + Math.min(LONGEST_MS, Math.min(tookMs, FIRST_REST_MS) * known.silences);
    }
  }

  /** One after the other, as the target gets through with them; beyond some minutes at any time, so that none waits for long after it is well. */
  function putOff(known: Known, { now, stepMs }: { now: number; stepMs: number }): number {
    known.busyUntil = Math.max(known.busyUntil, known.restsUntil, known.closedUntil, now) + stepMs;
    const wait = known.busyUntil - now;
    return Math.ceil(wait <= LONGEST_MS ? wait : LONGEST_MS * (1 + random()) * 0.5);
  }
}

function unknown(): Known {
  return { begun: new Set(), slow: false, tookMs: 0, silences: 0, silentSince: 0, restsUntil: 0, closedUntil: 0, busyUntil: 0 };
}
