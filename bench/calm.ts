import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

const LOOK_MS = 200;
const CALM = 0.1;

/** Waits until the machine has next to nothing to do, but no longer than this: what one measurement left behind is not the next one's. */
export async function untilCalm({ withinSeconds }: { withinSeconds: number }): Promise<void> {
  for (let left = withinSeconds * 1000; left >= LOOK_MS; left -= LOOK_MS) {
    const before = spent();
    await sleep(LOOK_MS);
    const after = spent();
    if ((after.busy - before.busy) / (after.total - before.total) < CALM) return;
  }
}

/** Milliseconds of all processors since the machine started. */
function spent(): { busy: number; total: number } {
  const times = cpus().map(({ times: { idle, ...busy } }) => ({ idle, busy: Object.values(busy).reduce((sum, ms) => sum + ms, 0) }));
  const busy = times.reduce((sum, one) => sum + one.busy, 0);
  return { busy, total: busy + times.reduce((sum, one) => sum + one.idle, 0) };
}
