import { setTimeout as sleep } from "node:timers/promises";

/**
 * One question for all who ask the same: while one is on its way, those who come wait, and the next one is for all of them. So nobody
 * is given an answer that was asked for before he came, and a hundred at once cost two questions.
 */
export interface SharedAnswers<T> {
  /** The answer to what `key` names; `ask` is called when its turn comes, or another's who asks the same. What it throws is thrown to all. */
  of(key: string, ask: () => Promise<T>): Promise<T>;
}

interface Place<T> {
  underWay: Promise<T>;
  next: Promise<T> | undefined;
}

/** @param patienceMs how long those who come wait for the one that is on its way; then theirs goes beside it */
export function createSharedAnswers<T>({ patienceMs }: { patienceMs?: number } = {}): SharedAnswers<T> {
  const places = new Map<string, Place<T>>();

  const begin = (key: string, ask: () => Promise<T>): Promise<T> => {
    const place: Place<T> = { underWay: ask(), next: undefined };
    places.set(key, place);
    const over = () => {
      if (!place.next) places.delete(key);
    };
    place.underWay.then(over, over);
    return place.underWay;
  };

  return {
    of(key, ask) {
      const place = places.get(key);
      if (!place) return begin(key, ask);
      const again = () => begin(key, ask);
      return (place.next ??= within(place.underWay, patienceMs).then(again, again));
    },
  };
}

/** Settles when this does, or when it has taken so long. */
async function within(going: Promise<unknown>, ms: number | undefined): Promise<void> {
  if (ms === undefined) return void (await going);
  const over = new AbortController();
  try {
    await Promise.race([going, sleep(ms, undefined, { signal: over.signal })]);
  } finally {
    over.abort();
  }
}
