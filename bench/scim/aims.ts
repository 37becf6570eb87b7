import type { Measured } from "./measure.ts";
import type { ServerName, ServerResult, SizeResult } from "./run.ts";

/** One promise, and whether it was kept. */
export interface Aim {
  what: string;
  /** What the number is compared with: `× bare`. */
  unit: string;
  /** Undefined where one side was not measured. */
  value?: number;
  limit: number;
  /** Whether the value must be at least, or at most, the limit. */
  sense: "at least" | "at most";
  met?: boolean;
  /** The other side was measured on a few answers only, or had no right one. */
  remark?: string;
}

interface Promised {
  /** The turn of an operation, as measured. */
  turn: string;
  concurrency: number;
  server: Exclude<ServerName, "ours">;
  /** What the other server is asked for; the same when absent. */
  against?: string;
  factor: number;
}

const GET = "GET one by id";
const bare = (turn: string, factor: number): Promised => ({ turn, concurrency: 16, server: "bare", against: GET, factor });
const routers = (turn: string, factor: number, concurrency = 16): Promised => ({ turn, concurrency, server: "postgres", factor });

export const PROMISES: readonly Promised[] = [
  bare(GET, 0.7),
  routers(GET, 4),
  bare("userName eq", 0.6),
  bare("externalId eq", 0.6),
  bare("meta.lastModified gt, few results", 0.4),
  bare('emails[type eq "work" and value eq]', 0.4),
  bare('emails[type eq "work" and value co]', 0.1),
  routers("page of 100, first", 25),
  routers("page of 100, last by index", 25),
  routers("POST a person", 3),
  routers("PATCH active", 5),
  routers("PATCH three replaces", 5),
  routers("add 1 member to 10,000", 500, 1),
  routers("remove 1 member from 10,000", 500, 1),
  routers("add 1,000 members", 150, 1),
  routers("remove 1,000 members", 1000, 1),
  bare("GET a group of 10,000 without members", 0.6),
  routers("GET a group of 10,000 with members", 10),
];

const KEPT = 0.8;
const KEPT_LAST_BY_INDEX = 0.4;
const LAST_BY_CURSOR = 0.9;
const SAME_WITHIN = 2 / 3;
const MOST_MEGABYTES = 300;
const MEGABYTE = 1024 * 1024;

/** The promises, at the largest size that was measured. */
export function judgeAims(sizes: readonly SizeResult[]): Aim[] {
  const bySize = [...sizes].sort((left, right) => left.people - right.people);
  const large = bySize.at(-1);
  if (!large) return [];
  const ours = large.servers.find(({ server }) => server === "ours");
  if (!ours) return [];
  const aims = [
    ...PROMISES.map((promised) => judgePromise(large, ours, promised)),
    ...withinOurs(ours),
    ...(bySize.length > 1 && bySize[0] ? growth(bySize[0], ours) : []),
    atMost("peak memory under load", ours.peakBytes === undefined ? undefined : ours.peakBytes / MEGABYTE),
  ];
  return aims.filter(({ value, remark }) => value !== undefined || remark !== undefined);
}

function judgePromise(large: SizeResult, ours: ServerResult, { turn, concurrency, server, against, factor }: Promised): Aim {
  const other = large.servers.find((each) => each.server === server);
  const theirs = find(other, against ?? turn, concurrency);
  const own = find(ours, turn, concurrency);
  const failed = own && other?.failed.find(({ message }) => message.length > 0 && theirs === undefined);
  return atLeast(`${turn}${concurrency === 1 ? ", one connection" : ""}`, {
    unit: server === "bare" ? "× bare" : "× routers",
    value: own && theirs && own.rate / theirs.rate,
    limit: factor,
    remark: theirs?.slow ? "they: few answers" : failed ? "they: no right answer" : undefined,
  });
}

/** Our own rates beside each other. */
function withinOurs(ours: ServerResult): Aim[] {
  const rate = (turn: string, concurrency = 16) => find(ours, turn, concurrency)?.rate;
  const ratio = (one: number | undefined, other: number | undefined) =>
    one === undefined || other === undefined ? undefined : one / other;
  const turns = [
    ["add 1 member", "to"],
    ["remove 1 member", "from"],
  ] as const;
  return [
    atLeast("page of 100, last by cursor", {
      unit: "× first",
      value: ratio(rate("page of 100, last by cursor"), rate("page of 100, first by cursor")),
      limit: LAST_BY_CURSOR,
    }),
    atLeast("page of 100, last by index", {
      unit: "× first",
      value: ratio(rate("page of 100, last by index"), rate("page of 100, first")),
      limit: KEPT_LAST_BY_INDEX,
    }),
    ...turns.map(([turn, word]) => {
      const rates = ["10", "10,000", "100,000"].flatMap((size) => rate(`${turn} ${word} ${size}`, 1) ?? []);
      return atLeast(`${turn}, whatever the group's size`, {
        unit: "slowest × fastest",
        value: rates.length > 1 ? Math.min(...rates) / Math.max(...rates) : undefined,
        limit: SAME_WITHIN,
      });
    }),
  ];
}

function growth(small: SizeResult, ours: ServerResult): Aim[] {
  const before = small.servers.find(({ server }) => server === "ours");
  return ours.measured.flatMap(({ turn, concurrency, rate }) => {
    const earlier = find(before, turn, concurrency);
    if (!earlier) return [];
    const limit = turn === "page of 100, last by index" ? KEPT_LAST_BY_INDEX : KEPT;
    return atLeast(`${turn}, ${concurrency} at once`, {
      unit: `× at ${small.people.toLocaleString("en")}`,
      value: rate / earlier.rate,
      limit,
    });
  });
}

/** The measure at this concurrency, or the only one that somebody slow was given. */
export function find(result: ServerResult | undefined, turn: string, concurrency: number): Measured | undefined {
  const all = result?.measured.filter((each) => each.turn === turn) ?? [];
  return all.find((each) => each.concurrency === concurrency) ?? all.find(({ slow }) => slow);
}

function atLeast(what: string, { unit, value, limit, remark }: Pick<Aim, "unit" | "value" | "limit" | "remark">): Aim {
  return { what, unit, value, limit, sense: "at least", met: value === undefined ? undefined : value >= limit, remark };
}

function atMost(what: string, value: number | undefined): Aim {
  return {
    what,
    unit: "MB",
    value,
    limit: MOST_MEGABYTES,
    sense: "at most",
    met: value === undefined ? undefined : value < MOST_MEGABYTES,
  };
}
