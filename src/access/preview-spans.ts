/** Numbers of units as stretches [start, end), sorted and apart from each other, flat: start, end, start, end. */
export type Spans = readonly number[];

/** The stretches that sorted numbers make. */
export function spansOf(numbers: readonly number[]): Spans {
  const spans: number[] = [];
  for (const number of numbers) {
    if (spans.length > 0 && spans.at(-1) === number) spans[spans.length - 1] = number + 1;
    else spans.push(number, number + 1);
  }
  return spans;
}

/** What is in any of them. */
export function union(many: readonly Spans[]): Spans {
  if (many.length === 1 && many[0]) return many[0];
  const pairs = many.flatMap((spans) => pairsOf(spans)).sort(([a], [b]) => a - b);
  const merged: number[] = [];
  for (const [start, end] of pairs) {
    const last = merged.at(-1);
    if (last !== undefined && start <= last) merged[merged.length - 1] = Math.max(last, end);
    else merged.push(start, end);
  }
  return merged;
}

/** What is in the first and not in the second. */
export function minus(first: Spans, second: Spans): Spans {
  const left: number[] = [];
  const taken = pairsOf(second);
  for (const [start, end] of pairsOf(first)) {
    let from = start;
    for (const [cut, until] of taken) {
      if (until <= from || cut >= end) continue;
      if (cut > from) left.push(from, cut);
      from = Math.max(from, until);
    }
    if (from < end) left.push(from, end);
  }
  return left;
}

export function sizeOf(spans: Spans): number {
  return pairsOf(spans).reduce((sum, [start, end]) => sum + end - start, 0);
}

/** The number at a place, counted from 0 over all stretches. */
export function numberAt(spans: Spans, place: number): number | undefined {
  let left = place;
  for (const [start, end] of pairsOf(spans)) {
    if (left < end - start) return start + left;
    left -= end - start;
  }
  return undefined;
}

export function pairsOf(spans: Spans): [start: number, end: number][] {
  const pairs: [number, number][] = [];
  for (let place = 0; place < spans.length; place += 2) pairs.push([spans[place] ?? 0, spans[place + 1] ?? 0]);
  return pairs;
}
