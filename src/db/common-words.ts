/** Words of searches that many people meet, so that the next who asks for them is not first looked for among few. */
export interface CommonWords {
  /** How many met them when somebody asked last, as far as they were counted; 0 for words of which nothing is remembered. */
  met(words: readonly string[]): number;
  /** Those that few meet are not remembered. */
  note(words: readonly string[], met: number): void;
}

const MANY = 200;
const MOST_REMEMBERED = 1000;
/** Families leave, and names with them. */
const REMEMBERED_MS = 60_000;

/** @param now milliseconds that only ever go on */
export function createCommonWords(now: () => number = () => performance.now()): CommonWords {
  const remembered = new Map<string, { met: number; since: number }>();
  return {
    met(words) {
      const known = remembered.get(words.join(" "));
      return known && now() - known.since < REMEMBERED_MS ? known.met : 0;
    },
    note(words, met) {
      const key = words.join(" ");
      remembered.delete(key);
      if (met <= MANY) return;
      if (remembered.size >= MOST_REMEMBERED) remembered.clear();
      remembered.set(key, { met, since: now() });
    },
  };
}
