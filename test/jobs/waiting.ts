import { setTimeout as sleep } from "node:timers/promises";

/** Asks until it is so; says what it saw last when it never is. */
export async function until<T>(look: () => T | Promise<T>, isSo: (seen: T) => boolean, { within = 150_000 } = {}): Promise<T> {
  const end = Date.now() + within;
  for (;;) {
    const seen = await look();
    if (isSo(seen)) return seen;
    if (Date.now() > end) throw new Error(`It never came so; last seen: ${JSON.stringify(seen)}`);
    await sleep(25);
  }
}
