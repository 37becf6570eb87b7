/** From one thing to another (child to parent, role to permission), for a period [from, until) in microseconds since 1970. */
export interface Edge {
  to: number;
  from: number;
  /** Infinity: open. */
  until: number;
}

/** What can be reached from a thing at an instant. */
export interface Reached {
  /** Each with the end of the longest-lasting way to it. */
  readonly ends: ReadonlyMap<number, number>;
  /** The same side by side (thing, end, thing, end, …), for who looks at all of it: walking a map costs several times as much. */
  readonly list: readonly number[];
}

export interface Reach {
  from(start: number, at: number): Reached;
  /** What was worked out before holds no longer. */
  forget(): void;
}

/** Ways along edges, worked out when they are first asked for and again when the clock passes a beginning or an end. */
export function createReach(edgesOf: (node: number) => readonly Edge[]): Reach {
  const remembered: (Reached | undefined)[] = [];
  // The instants for which each holds. Numbers side by side: within objects each would be one of its own, to be fetched from afar.
  const [since, before]: [number[], number[]] = [[], []];
  return {
    from(start, at) {
      const known = remembered[start];
      if (known !== undefined && (since[start] ?? Infinity) <= at && at < (before[start] ?? -Infinity)) return known;
      const made = walk(start, { at, edgesOf });
      remembered[start] = made.reached;
      since[start] = at;
      before[start] = made.before;
      return made.reached;
    },
    forget: () => void (remembered.length = since.length = before.length = 0),
  };
}

/** Whether and until when an edge holds is asked of each one met; safe with circles. */
function walk(
  start: number,
  { at, edgesOf }: { at: number; edgesOf: (node: number) => readonly Edge[] },
): { reached: Reached; before: number } {
  const ends = new Map<number, number>([[start, Infinity]]);
  const waiting = [start];
  let before = Infinity;
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    const end = ends.get(node) ?? -Infinity;
    for (const edge of edgesOf(node)) {
      if (edge.until <= at) continue;
      if (edge.from > at) {
        before = Math.min(before, edge.from);
        continue;
      }
      before = Math.min(before, edge.until);
      const through = Math.min(end, edge.until);
      if (through <= (ends.get(edge.to) ?? -Infinity)) continue;
      ends.set(edge.to, through);
      waiting.push(edge.to);
    }
  }
  return { reached: { ends, list: [...ends].flat() }, before };
}
