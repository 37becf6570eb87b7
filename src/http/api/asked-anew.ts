import { setTimeout as wait } from "node:timers/promises";

/** How long somebody who is not allowed it any more may go on watching. */
const EVERY_MS = 2_000;
const NOTHING_YET = null;

export interface AskedAnewOptions<Event> {
  /** Ends with the signal, and says no more then. */
  events: (signal: AbortSignal) => AsyncIterable<Event>;
  /** The caller's going away. */
  signal: AbortSignal;
  /** Throws when the caller may not see them any more. */
  ask: () => Promise<void>;
  everyMs?: number;
}

/**
 * Events, before each of which it is asked again whether the caller may see them, and every two seconds while nothing happens: who may not
 * any more is told nothing, and the answer breaks off rather than end.
 */
export async function* askedAnew<Event>({ events, signal, ask, everyMs = EVERY_MS }: AskedAnewOptions<Event>): AsyncGenerator<Event> {
  const over = new AbortController();
  const iterator = events(AbortSignal.any([signal, over.signal]))[Symbol.asyncIterator]();
  try {
    for (let coming = iterator.next(); ;) {
      const come = await firstOf(coming, everyMs);
      if (come !== NOTHING_YET && come.done) return;
      await ask();
      if (come === NOTHING_YET) continue;
      yield come.value;
      coming = iterator.next();
    }
  } finally {
    over.abort();
    // What it was about to say is said to nobody, an error of its own included.
    await iterator.return?.().catch(() => undefined);
  }
}

/** What comes within the time; the clock is stopped with it. */
async function firstOf<Event>(
  coming: Promise<IteratorResult<Event>>,
  everyMs: number,
): Promise<IteratorResult<Event> | typeof NOTHING_YET> {
  const stopped = new AbortController();
  // Stopped means that an event came first.
  const clock = wait(everyMs, NOTHING_YET, { signal: stopped.signal }).catch(() => NOTHING_YET);
  try {
    return await Promise.race([coming, clock]);
  } finally {
    stopped.abort();
  }
}
