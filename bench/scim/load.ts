import { readFileSync } from "node:fs";
import { directoryOf } from "./directory.ts";
import { measure, written, type Address, type Timed } from "./measure.ts";
import type { Operation, Target } from "./operation.ts";
import { OPERATIONS } from "./operations/all.ts";
import { touch } from "./operations/people.ts";
import { openWire } from "./wire.ts";

/** What the parent tells the load, in this order: whom to ask, then what, as often as it likes. */
export type Order =
  | { kind: "target"; address: Address; people: number; idsFile: string; writable: boolean }
  | { kind: "measure"; key: string; seconds: number; /** 0 when it was asked before. */ warmUpSeconds: number };

export type Report =
  { kind: "done"; timed: Timed[]; /** False where the server can't do it. */ offered: boolean } | { kind: "failed"; message: string };

/** People who are changed before anything is measured, so that a filter by time finds some. */
const CHANGED = 5;
const SETTLE_MS = 20;

interface Aim {
  address: Address;
  target: Target;
  /** Requests made so far, by operation: each next one is a new one. */
  made: Map<string, number>;
  /** Whether the server offers it, by operation: the way to where the requests begin is walked once. */
  offers: Map<string, boolean>;
}

let aim: Aim | undefined;

process.on("message", (order: Order) => {
  carryOut(order).then(
    (report) => process.send?.(report),
    (error: unknown) => process.send?.({ kind: "failed", message: reasons(error) } satisfies Report),
  );
});

async function carryOut(order: Order): Promise<Report> {
  if (order.kind === "target") {
    aim = await aimAt(order);
    return { kind: "done", timed: [], offered: true };
  }
  const operation = OPERATIONS.find(({ key }) => key === order.key);
  if (!aim || !operation) throw new Error(`There is nobody to ask, or no operation ${order.key}.`);
  return measureOperation(aim, operation, order);
}

async function aimAt({ address, people, idsFile, writable }: Extract<Order, { kind: "target" }>): Promise<Aim> {
  const { users, groups } = JSON.parse(readFileSync(idsFile, "utf8")) as Pick<Target, "users" | "groups">;
  const ask: Target["ask"] = async (sent) => {
    const wire = await openWire(address);
    try {
      const { status, body } = await wire.send(written(sent, address));
      const text = body.toString("utf8");
      if (status < 200 || status >= 300) throw new Error(`${sent.method} ${sent.path} answered ${status}: ${text.slice(0, 500)}`);
      return text === "" ? undefined : (JSON.parse(text) as unknown);
    } finally {
      wire.close();
    }
  };
  const target: Target = { directory: directoryOf(people), users, groups, since: new Date().toISOString(), changed: CHANGED, ask };
  if (writable) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    await touch(target, CHANGED);
  }
  return { address, target, made: new Map(), offers: new Map() };
}

async function measureOperation(
  asked: Aim,
  operation: Operation,
  { seconds, warmUpSeconds }: Extract<Order, { kind: "measure" }>,
): Promise<Report> {
  const { target, made, offers } = asked;
  const offered = offers.get(operation.key) ?? (await operation.prepare?.(target)) ?? true;
  offers.set(operation.key, offered);
  const timed = offered ? await measureAll(asked, operation, { seconds, warmUpSeconds }) : [];
  // Whoever is slow was measured on a few answers, each of which was compared.
  if (offered && !isSlow(timed)) await operation.verify?.(target, made.get(operation.key) ?? 0);
  return { kind: "done", timed, offered };
}

async function measureAll(
  { address, target, made }: Aim,
  operation: Operation,
  { seconds, warmUpSeconds }: { seconds: number; warmUpSeconds: number },
): Promise<Timed[]> {
  const at = async (concurrency: number, times: { seconds: number; warmUpSeconds: number }) => {
    const part = await measure({ operation, target, address, concurrency, ...times, from: made.get(operation.key) ?? 0 });
    made.set(operation.key, part.next);
    return part.timed;
  };
  const [fewest = 1] = operation.concurrency;
  const most = operation.concurrency.at(-1) ?? fewest;
  let crowd: Timed[] = [];
  if (warmUpSeconds > 0) {
    // A few answers tell who needs seconds for each. All connections together have code compiled and statements planned soonest.
    const alone = await at(fewest, { seconds: 0, warmUpSeconds: fewest === most ? warmUpSeconds : warmUpSeconds / 10 });
    if (isSlow(alone)) return alone;
    if (most > fewest) crowd = await at(most, { seconds: 0, warmUpSeconds });
  }
  const timed: Timed[] = [];
  for (const concurrency of operation.concurrency) {
    // Sixteen at once tell nothing more of somebody who needs seconds for one.
    if (isSlow(timed)) break;
    timed.push(...(concurrency === most && isSlow(crowd) ? crowd : await at(concurrency, { seconds, warmUpSeconds: seconds / 2 })));
  }
  return timed;
}

function isSlow(timed: readonly Timed[]): boolean {
  return timed.some(({ slow }) => slow);
}

/** The error with all its causes: the answer, and what was wrong with it. */
function reasons(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}\n  ${reasons(error.cause)}`;
}
