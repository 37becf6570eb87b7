import type { AccessSnapshot } from "../../../src/access/snapshot/snapshot.ts";
import { AppError } from "../../../src/errors.ts";

/** Asks again where the snapshot says to, for two minutes: a machine that is too busy for a second is not what most tests are about. */
export function patient(snapshot: AccessSnapshot): AccessSnapshot {
  return { ...snapshot, ready: () => patiently(snapshot.ready), current: () => patiently(snapshot.current) };
}

async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + 120_000; ;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof AppError && error.code === "unavailable") || performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
