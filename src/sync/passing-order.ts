/** An item that claims what somebody else has. */
export interface Claim {
  seq: number;
  nativeId: string;
  field: "userName" | "email";
  /** In lower case, as the database has it. */
  value: string;
  /** As the record says it. */
  said: string;
  /** Person. */
  holder: string;
}

/** An item that says what somebody is called from it on. In lower case. */
export interface Giver {
  seq: number;
  personId: string;
  userName: string | null;
  email: string | null;
}

export interface Claims {
  claims: readonly Claim[];
  givers: readonly Giver[];
}

/** Claims of what is not given up. Whoever is refused a name keeps their own, and so whoever waits for that, and so on. Pure. */
export function keepers({ claims, givers }: Claims): { unnamed: Claim[]; unaddressed: Claim[] } {
  const giversOf = byPerson(givers);
  const names = claims.filter(({ field }) => field === "userName");
  const isKept = ({ holder, field, value }: Claim) => {
    const theirs = giversOf.get(holder) ?? [];
    return theirs.length === 0 || theirs.some((giver) => giver[field] === value);
  };
  const waiting = new Map<number, Claim[]>();
  for (const claim of names) for (const { seq } of giversOf.get(claim.holder) ?? []) append(waiting, seq, claim);
  const unnamed = new Set(names.filter(isKept));
  const out = new Set<number>();
  // Grows while it is gone through.
  for (const { seq } of unnamed) {
    out.add(seq);
    for (const claim of waiting.get(seq) ?? []) unnamed.add(claim);
  }
  const isLeft = ({ holder }: Claim) => (giversOf.get(holder) ?? []).some(({ seq }) => out.has(seq));
  const unaddressed = claims.filter((claim) => claim.field === "email" && !out.has(claim.seq) && (isKept(claim) || isLeft(claim)));
  return { unnamed: [...unnamed], unaddressed };
}

function byPerson(givers: readonly Giver[]): Map<string, Giver[]> {
  const all = new Map<string, Giver[]>();
  for (const giver of givers) append(all, giver.personId, giver);
  return all;
}

function append<K, V>(to: Map<K, V[]>, key: K, value: V): void {
  const list = to.get(key);
  if (list) list.push(value);
  else to.set(key, [value]);
}

/** A range of items by their numbers, both ends included. */
export interface Span {
  first: number;
  last: number;
}

/**
 * What hangs together, each in the order in which one after the other could be applied as far as there is one: whoever gives up first. A
 * circle has none. Pure; the same for the same items, in whatever order they come.
 */
export function passingOrder({ claims, givers }: Claims): number[][] {
  const giversOf = byPerson(givers);
  const gives = new Map<number, number[]>();
  const touches = new Map<number, number[]>();
  for (const { seq: taker, holder } of claims) {
    for (const { seq: giver } of giversOf.get(holder) ?? []) {
      append(gives, taker, giver);
      append(touches, taker, giver);
      append(touches, giver, taker);
    }
  }
  const placed = new Set<number>();
  return together(touches).map((group) => group.flatMap((start) => giversFirst(start, { gives, placed })));
}

function together(touches: ReadonlyMap<number, readonly number[]>): number[][] {
  const seen = new Set<number>();
  return [...touches.keys()]
    .toSorted((a, b) => a - b)
    .flatMap((start) => {
      if (seen.has(start)) return [];
      seen.add(start);
      const group = [start];
      // Grows while it is gone through.
      for (const one of group) for (const other of touches.get(one) ?? []) if (!seen.has(other) && seen.add(other)) group.push(other);
      return [group.toSorted((a, b) => a - b)];
    });
}

/** By a stack of its own: a chain may be as long as a plan. */
function giversFirst(start: number, { gives, placed }: { gives: ReadonlyMap<number, readonly number[]>; placed: Set<number> }): number[] {
  const order: number[] = [];
  const stack = [{ seq: start, entered: false }];
  const begun = new Set<number>();
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    const { seq, entered } = at;
    if (entered) {
      if (!placed.has(seq)) order.push(seq);
      placed.add(seq);
    } else if (!placed.has(seq) && !begun.has(seq)) {
      begun.add(seq);
      stack.push({ seq, entered: true }, ...(gives.get(seq) ?? []).map((giver) => ({ seq: giver, entered: false })));
    }
  }
  return order;
}

/** Ranges of numbers without a gap: what must be applied together. They come in their order. Pure. */
export function spansOf(seqs: readonly number[]): Span[] {
  const spans: Span[] = [];
  for (const seq of seqs) {
    const last = spans.at(-1);
    if (last?.last === seq - 1) last.last = seq;
    else spans.push({ first: seq, last: seq });
  }
  return spans;
}

/** Puts whole spans together to portions of about `size` items: one that is larger stays whole. Pure. */
export function portionsOfSpans(spans: readonly Span[], size: number): Span[][] {
  const portions: Span[][] = [];
  let room = 0;
  for (const span of spans) {
    const count = span.last - span.first + 1;
    if (room < count || portions.length === 0) {
      portions.push([]);
      room = size;
    }
    portions.at(-1)?.push(span);
    room -= count;
  }
  return portions;
}

/** Whole spans, as long as there are several. Pure. */
export function halvesOf(spans: readonly Span[]): Span[][] {
  const [only, another] = spans;
  if (only === undefined) return [];
  if (another !== undefined) {
    const middle = Math.ceil(spans.length / 2);
    return [spans.slice(0, middle), spans.slice(middle)];
  }
  const middle = Math.floor((only.first + only.last) / 2);
  return [[{ first: only.first, last: middle }], [{ first: middle + 1, last: only.last }]];
}
