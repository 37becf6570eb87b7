import type { Organisation } from "./state.ts";

const sorted = new WeakMap<Organisation, Map<string, { version: number; all: readonly unknown[] }>>();

/** Sorting a hundred thousand users for each page would measure the fake and not what reads it. */
export function inOrder<T>(of: Organisation, name: string, make: () => T[]): readonly T[] {
  const kept = sorted.get(of) ?? new Map<string, { version: number; all: readonly unknown[] }>();
  sorted.set(of, kept);
  const known = kept.get(name);
  if (known?.version === of.version) return known.all as readonly T[];
  const all = make();
  kept.set(name, { version: of.version, all });
  return all;
}

export function byKey<T>(keyOf: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => (keyOf(a) < keyOf(b) ? -1 : 1);
}
