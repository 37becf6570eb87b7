/** A step of a way, from one node to the next; `element` names the thing that makes it, null for what can't be taken away. */
export interface Step {
  from: string;
  to: string;
  element: string | null;
}

export interface Removals {
  /** Each a set of elements without which no way leads from start to end, and none of which could be left; smallest first. */
  sets: string[][];
  /** Whether these are all there are. */
  complete: boolean;
}

const MOST_SETS = 10;
const MOST_LOOKS = 2000;

/**
 * The minimal sets of elements whose removal cuts every way from `start` to `end`. Sets are grown breadth first: whatever cuts all
 * ways must hold an element of any way that is left, so each such element is tried (R. Reiter, "A theory of diagnosis from first
 * principles", 1987, section 4: all minimal sets, in the order of their size). Where there are too many the search stops; one set
 * is found in any case, unless a way can't be cut at all. Pure.
 */
export function removalSets(
  steps: readonly Step[],
  { start, end, most = MOST_SETS }: { start: string; end: string; most?: number },
): Removals {
  const outgoing = outgoingOf(steps);
  const found: Set<string>[] = [];
  const seen = new Set<string>();
  let level: Set<string>[] = [new Set()];
  for (let looks = 0; level.length > 0;) {
    const next: Set<string>[] = [];
    for (const removed of level) {
      if (found.some((set) => isSubset(set, removed))) continue;
      const way = elementsOfWay(outgoing, { start, end, removed });
      if (way === undefined) {
        found.push(removed);
        continue;
      }
      looks += 1;
      if (found.length >= most || looks > MOST_LOOKS) return cutShort(outgoing, { start, end, found });
      for (const element of way) {
        const more = new Set(removed).add(element);
        const key = [...more].sort().join("\n");
        if (!seen.has(key)) next.push(more);
        seen.add(key);
      }
    }
    level = next;
  }
  return { sets: found.map((set) => [...set]), complete: true };
}

function cutShort(outgoing: Outgoing, { start, end, found }: { start: string; end: string; found: readonly Set<string>[] }): Removals {
  const one = found.length > 0 ? undefined : anyRemoval(outgoing, { start, end });
  return { sets: [...found, ...(one ? [one] : [])].map((set) => [...set]), complete: false };
}

/** One minimal set, found by taking away until nothing leads there, and giving back what was not needed. */
function anyRemoval(outgoing: Outgoing, { start, end }: { start: string; end: string }): Set<string> | undefined {
  const removed = new Set<string>();
  for (;;) {
    const way = elementsOfWay(outgoing, { start, end, removed });
    if (way === undefined) break;
    const [first] = way;
    if (first === undefined) return undefined;
    removed.add(first);
  }
  for (const element of [...removed]) {
    removed.delete(element);
    if (elementsOfWay(outgoing, { start, end, removed })) removed.add(element);
  }
  return removed;
}

type Outgoing = ReadonlyMap<string, readonly Step[]>;

function outgoingOf(steps: readonly Step[]): Outgoing {
  const outgoing = new Map<string, Step[]>();
  for (const step of steps) {
    const known = outgoing.get(step.from);
    if (known) known.push(step);
    else outgoing.set(step.from, [step]);
  }
  return outgoing;
}

/** The elements of a shortest way that is left; undefined when none is. */
function elementsOfWay(
  outgoing: Outgoing,
  { start, end, removed }: { start: string; end: string; removed: ReadonlySet<string> },
): string[] | undefined {
  const ways = new Map<string, string[]>([[start, []]]);
  // Walked in the order of insertion, what is added on the way included.
  for (const [node, way] of ways) {
    if (node === end) return [...new Set(way)];
    for (const { to, element } of outgoing.get(node) ?? [])
      if (!ways.has(to) && (element === null || !removed.has(element))) ways.set(to, element === null ? way : [...way, element]);
  }
  return undefined;
}

function isSubset(set: ReadonlySet<string>, of: ReadonlySet<string>): boolean {
  return set.size <= of.size && [...set].every((element) => of.has(element));
}
