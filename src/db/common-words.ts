import { createHash } from "node:crypto";

/** Words of searches that many people meet, so that the next who asks for them is not first looked for among few. */
export interface CommonWords {
  /** How many met them when somebody asked last, as far as they were counted; 0 for words of which nothing is remembered. */
  met(words: readonly string[]): number;
  /** Those that few meet are not remembered. */
  note(words: readonly string[], met: number): void;
  /** Whether those who are asked for by these values were found to stand too far from each other to be come upon soon. */
  isScattered(values: readonly unknown[]): boolean;
  noteScattered(values: readonly unknown[]): void;
}

const MANY = 200;
const MOST_REMEMBERED = 1000;
/** Families leave, and names with them. */
const REMEMBERED_MS = 60_000;

/** @param now milliseconds that only ever go on */
export function createCommonWords(now: () => number = () => performance.now()): CommonWords {
  const remembered = createMemory<number>(now);
  const scattered = createMemory<true>(now);
  return {
    met: (words) => remembered.get(words.join(" ")) ?? 0,
    note(words, met) {
      const key = words.join(" ");
      if (met > MANY) remembered.set(key, met);
      else remembered.delete(key);
    },
    isScattered: (values) => scattered.get(keyOf(values)) ?? false,
    noteScattered: (values) => scattered.set(keyOf(values), true),
  };
}

/** Whom somebody reaches may be many units. */
const keyOf = (values: readonly unknown[]): string => createHash("sha256").update(JSON.stringify(values)).digest("base64");

interface Memory<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): void;
  delete(key: string): void;
}

function createMemory<T>(now: () => number): Memory<T> {
  const kept = new Map<string, { value: T; since: number }>();
  return {
    get(key) {
      const known = kept.get(key);
      return known && now() - known.since < REMEMBERED_MS ? known.value : undefined;
    },
    set(key, value) {
      kept.delete(key);
      if (kept.size >= MOST_REMEMBERED) kept.clear();
      kept.set(key, { value, since: now() });
    },
    delete: (key) => void kept.delete(key),
  };
}
