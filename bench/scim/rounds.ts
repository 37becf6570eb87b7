import { untilCalm } from "../calm.ts";
import type { Loader } from "./loader.ts";
import type { Timed } from "./measure.ts";
import type { Operation } from "./operation.ts";
import type { ServerName } from "./run.ts";
import type { Running } from "./servers/peer.ts";

/** A server that is up, what asks it, and what it has done so far. */
export interface Measuring {
  server: ServerName;
  running: Running;
  loader: Loader;
  timed: Timed[];
  missing: string[];
  failed: { key: string; message: string }[];
}

export interface RoundsOptions {
  operations: readonly Operation[];
  /** How long each operation is asked, all rounds together. */
  seconds: number;
  rounds: number;
  say: (line: string) => void;
}

/** How many times as long each operation is asked before. A server that answers a thousand requests a second is compiled after some seconds. */
const WARM_UP = 2;

/** Who has needed so long for one operation is not asked again. */
const LONG_ENOUGH_MS = 150_000;

/**
 * One operation after the other, each at one server after the other, and all of it again: what is compared is measured within seconds,
 * several times, on a machine that is as fast for all. Those whose turn it is not have nothing to do.
 */
export async function measureInRounds(servers: readonly Measuring[], { operations, seconds, rounds, say }: RoundsOptions): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    for (const operation of operations) {
      for (const measuring of servers.filter((each) => isAsked(each, operation))) {
        say(`round ${round} of ${rounds}, ${measuring.server}: ${operation.title}`);
        await untilCalm({ withinSeconds: 3 * seconds });
        // Sixteen connections to the database plan each new statement, and the code is compiled, but once.
        const warmUpSeconds = round === 1 ? WARM_UP * seconds : 0;
        await measureOperation(measuring, { operation, seconds: seconds / rounds, warmUpSeconds });
      }
    }
  }
}

function isAsked({ server, timed, missing, failed }: Measuring, { key, turns, oursOnly }: Operation): boolean {
  if ((server === "bare" && key !== "get") || (server !== "ours" && oursOnly)) return false;
  if (missing.includes(key) || failed.some((each) => each.key === key)) return false;
  const slow = timed.filter((each) => each.slow && turns.includes(each.turn));
  return slow.reduce((sum, { busy }) => sum + busy, 0) < LONG_ENOUGH_MS;
}

/** A wrong answer of ours ends the benchmark; one of a peer is written down beside its name. */
async function measureOperation(
  { server, loader, timed, missing, failed }: Measuring,
  { operation: { key, title }, ...times }: { operation: Operation; seconds: number; warmUpSeconds: number },
): Promise<void> {
  try {
    const answer = await loader.order({ kind: "measure", key, ...times });
    timed.push(...answer.timed);
    if (!answer.offered) missing.push(key);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (server === "ours") throw new Error(`Rollcall failed at "${title}": ${message}`, { cause: error });
    failed.push({ key, message });
  }
}
