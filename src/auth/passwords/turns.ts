import { AppError } from "../../errors.ts";

/** Lets so many pieces of work go on at once; others wait, the first to come first. */
export interface Turns {
  /** Throws `unavailable` with `retryAfter` when as many wait as may. */
  take<T>(work: () => Promise<T>): Promise<T>;
}

export interface TurnsOptions {
  atOnce: number;
  /** Most that wait for a turn. */
  waiting: number;
  /** What whoever comes then is told; of signing in when absent. */
  told?: string;
}

const RETRY_AFTER_SECONDS = 5;

/**
 * A bound for what takes memory and a thread for itself: a burst waits in line, and what is more than can be worked off soon is sent
 * away, so that it takes neither the memory nor the threads that everything else needs.
 */
export function createTurns({ atOnce, waiting, told = "Too many sign in at this moment. Try again soon." }: TurnsOptions): Turns {
  const line: (() => void)[] = [];
  let free = atOnce;
  return {
    async take(work) {
      if (free > 0) free -= 1;
      else if (line.length >= waiting) throw new AppError("unavailable", told, { retryAfter: RETRY_AFTER_SECONDS });
      // Whoever has finished hands the turn over, so that nobody who comes now is before who waits.
      else await new Promise<void>((go) => line.push(go));
      try {
        return await work();
      } finally {
        const next = line.shift();
        if (next) next();
        else free += 1;
      }
    },
  };
}
