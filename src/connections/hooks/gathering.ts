/** Work for a key that is done together: what comes while some is under way waits for it, and goes in one with all that waits. */
export interface Gathering<T> {
  /** Resolves when work that this is part of is done; rejects when that failed. */
  add(key: number, item: T): Promise<void>;
}

interface Waiting<T> {
  item: T;
  done: Promise<void>;
}

export function createGathering<T>(work: (key: number, item: T) => Promise<void>, merge: (before: T, later: T) => T): Gathering<T> {
  const underWay = new Map<number, Promise<void>>();
  const waiting = new Map<number, Waiting<T>>();

  const begin = (key: number, item: T): Promise<void> => {
    const going = work(key, item).finally(() => underWay.delete(key));
    underWay.set(key, going);
    return going;
  };
  const afterwards = async (key: number, before: Promise<void>): Promise<void> => {
    await before.catch(() => undefined);
    const next = waiting.get(key);
    waiting.delete(key);
    if (next) await begin(key, next.item);
  };

  return {
    add(key, item) {
      const before = underWay.get(key);
      if (!before) return begin(key, item);
      const there = waiting.get(key);
      if (there) {
        there.item = merge(there.item, item);
        return there.done;
      }
      const next: Waiting<T> = { item, done: afterwards(key, before) };
      waiting.set(key, next);
      return next.done;
    },
  };
}
