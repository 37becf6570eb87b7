/** Numbers instead of keys: 0, 1, 2, … in the order in which keys are first met; a key keeps its number. */
export interface Numbering {
  /** The key's number, a new one if it has none. */
  of(key: string): number;
  find(key: string): number | undefined;
  size(): number;
}

export function createNumbering(): Numbering {
  const numbers = new Map<string, number>();
  return {
    of(key) {
      const known = numbers.get(key);
      if (known !== undefined) return known;
      const made = numbers.size;
      numbers.set(key, made);
      return made;
    },
    find: (key) => numbers.get(key),
    size: () => numbers.size,
  };
}
