/** From one thing to another (child to parent, role to permission), for a period [from, until) in microseconds since 1970. */
export interface Edge {
  to: number;
  from: number;
  /** Infinity: open. */
  until: number;
}

/** What can be reached from a thing at an instant, each with the end of the longest-lasting way to it. */
export type Reached = ReadonlyMap<number, number>;

export interface Reach {
  from(start: number, at: number): Reached;
  /** What was worked out before holds no longer. */
  forget(): void;
}

interface Remembered {
  reached: Reached;
  /** The instants for which it holds. */
  since: number;
  before: number;
}

/** Ways along edges, worked out when they are first asked for and again when the clock passes a beginning or an end. */
export function createReach(edgesOf: (node: number) => readonly Edge[]): Reach {
  const remembered: (Remembered | undefined)[] = [];
  return {
    from(start, at) {
      const known = remembered[start];
      if (known !== undefined && known.since <= at && at < known.before) return known.reached;
      const made = walk(start, { at, edgesOf });
      remembered[start] = { ...made, since: at };
      return made.reached;
    },
    forget: () => void (remembered.length = 0),
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
  return { reached: ends, before };
}
