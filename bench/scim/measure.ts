import type { Operation, Sent, Target } from "./operation.ts";
import { openWire, type Wire } from "./wire.ts";

/** Where a server listens, and what opens it. */
export interface Address {
  host: string;
  port: number;
  /** The path of its SCIM base. */
  base: string;
  token: string;
}

export interface MeasureOptions {
  operation: Operation;
  target: Target;
  address: Address;
  concurrency: number;
  /** 0: the warm-up is all there is. */
  seconds: number;
  /** Asked and not timed before. */
  warmUpSeconds: number;
  /** Number of the first request. */
  from: number;
}

/** One turn of an operation, as it was measured at one time. */
export interface Timed {
  turn: string;
  concurrency: number;
  /** Milliseconds of each answer. */
  times: number[];
  /** Milliseconds that they took, one after the other on each connection. */
  busy: number;
  checked: number;
  slow: boolean;
}

/** One turn of an operation, measured in one round or several. */
export interface Measured {
  turn: string;
  concurrency: number;
  answers: number;
  /** Answers a second. */
  rate: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  /** Answers whose content was compared with the directory. */
  checked: number;
  /** An answer takes longer than a second: only a few were waited for. */
  slow: boolean;
}

const SLOW_MS = 1000;
const AHEAD_BYTES = 64 * 1024 * 1024;
/** The first answers, and then one in so many, are read and compared. */
const CHECK_FIRST = 3;
const CHECK_EVERY = 97;

/** Asks in a closed loop: `concurrency` connections, each with one request at a time. Returns the number after the last request, too. */
export async function measure(options: MeasureOptions): Promise<{ timed: Timed[]; next: number }> {
  const { operation, concurrency, seconds, warmUpSeconds, from } = options;
  const turns = operation.turns.length;
  const warm = await ask(options, { from, seconds: warmUpSeconds });
  // Whoever needs seconds for an answer was waited for often enough.
  const slow = warm.times.some((own) => percentile(own.toSorted(ascending), 0.5) > SLOW_MS);
  const { times, elapsed, checked, next } =
    slow || seconds === 0 ? warm : await ask(options, { from: warm.next, seconds, ready: writtenAhead(options, warm) });
  const timed = operation.turns.map((turn, at): Timed => {
    const own = times[at] ?? [];
    // Turns take turns on one connection: each has the time that its own answers took.
    const busy = turns === 1 ? elapsed : own.reduce((sum, ms) => sum + ms, 0) / concurrency;
    return { turn, concurrency, times: own, busy, checked, slow: percentile(own.toSorted(ascending), 0.5) > SLOW_MS };
  });
  return { timed, next };
}

/** What the rounds tell together, a line for each turn and concurrency in the order in which they came. Pure. */
export function summarised(rounds: readonly Timed[]): Measured[] {
  const lines = new Map<string, Timed[]>();
  for (const each of rounds) {
    const line = `${each.turn} ${each.concurrency}`;
    lines.set(line, [...(lines.get(line) ?? []), each]);
  }
  return [...lines.values()].map((parts): Measured => {
    const times = parts.flatMap((part) => part.times).sort(ascending);
    const sum = (of: (part: Timed) => number) => parts.reduce((total, part) => total + of(part), 0);
    return {
      turn: parts[0]?.turn ?? "",
      concurrency: parts[0]?.concurrency ?? 0,
      answers: times.length,
      rate: times.length / (sum(({ busy }) => busy) / 1000),
      p50: percentile(times, 0.5),
      p99: percentile(times, 0.99),
      checked: sum(({ checked }) => checked),
      slow: parts.some(({ slow }) => slow),
    };
  });
}

interface Asked {
  /** Milliseconds of each answer, by turn. */
  times: number[][];
  elapsed: number;
  checked: number;
  next: number;
}

/** The requests of the time that counts, half as many again as the warm-up promises: whoever loads shares the machine with whoever answers. */
function writtenAhead({ operation, target, address, from, seconds }: MeasureOptions, { next, elapsed }: Asked): Buffer[] {
  const ready: Buffer[] = [];
  const wanted = Math.ceil(((next - from) / elapsed) * seconds * 1000 * 1.5);
  for (let bytes = 0; ready.length < wanted && bytes < AHEAD_BYTES; bytes += ready.at(-1)?.length ?? 0)
    ready.push(written(operation.request(target, next + ready.length), address));
  return ready;
}

interface Asking {
  /** Number of the first request. */
  from: number;
  seconds: number;
  /** Requests from the first on that are written already. */
  ready?: readonly Buffer[];
}

async function ask(options: MeasureOptions, { from, seconds, ready = [] }: Asking): Promise<Asked> {
  const { operation, address, concurrency } = options;
  const turns = operation.turns.length;
  const wires = await Promise.all(Array.from({ length: concurrency }, () => openWire(address)));
  const asked: Asked = { times: operation.turns.map(() => []), elapsed: 0, checked: 0, next: from };
  const started = performance.now();
  const deadline = started + seconds * 1000;
  const goesOn = (done: number) => done < turns || performance.now() < deadline || asked.next % turns !== 0;
  try {
    await Promise.all(
      wires.map(async (wire) => {
        let quick = 0;
        for (let done = 0; goesOn(done); done++) {
          const number = asked.next++;
          const turn = asked.times[number % turns];
          const took = await askOne(wire, { ...options, number, first: from, ready: ready[number - from], asked });
          turn?.push(took);
          if (took <= SLOW_MS) quick++;
          // One whole round of something slow is enough.
          if (quick === 0 && done + 1 >= turns && asked.next % turns === 0) break;
        }
      }),
    );
    asked.elapsed = performance.now() - started;
    return asked;
  } finally {
    for (const wire of wires) wire.close();
  }
}

interface AskingOne {
  number: number;
  first: number;
  ready: Buffer | undefined;
  asked: Asked;
}

/** Milliseconds from the request to the last byte of its answer. */
async function askOne(
  wire: Wire,
  { operation, target, address, number, first, ready, asked }: MeasureOptions & AskingOne,
): Promise<number> {
  const bytes = ready ?? written(operation.request(target, number), address);
  const started = performance.now();
  const { status, body } = await wire.send(bytes);
  const took = performance.now() - started;
  const says = () => `${bytes.toString("utf8", 0, 200).split(" HTTP/")[0]} answered ${status}: ${body.toString("utf8", 0, 500)}`;
  if (status < 200 || status >= 300) throw new Error(says());
  if (number - first < CHECK_FIRST || number % CHECK_EVERY === 0) {
    asked.checked++;
    try {
      operation.check(target, number, { status, body: body.length === 0 ? undefined : JSON.parse(body.toString("utf8")) });
    } catch (error) {
      throw new Error(says(), { cause: error });
    }
  }
  return took;
}

/** The request as it goes over the wire. */
export function written({ method, path, body }: Sent, { host, port, base, token }: Address): Buffer {
  const content = body === undefined ? "" : JSON.stringify(body);
  const head = [
    `${method} ${base}${path} HTTP/1.1`,
    `Host: ${host}:${port}`,
    `Authorization: Bearer ${token}`,
    "Accept: application/scim+json",
    ...(content === "" ? [] : ["Content-Type: application/scim+json", `Content-Length: ${Buffer.byteLength(content)}`]),
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${content}`);
}

function ascending(left: number, right: number): number {
  return left - right;
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
