import { isKnownBrowser } from "../../auth/sign-in/devices.ts";
import type { Visit } from "./visit.ts";

/**
 * Counts that a browser begins to sign in, or to prove itself again, before anything is kept for it. One from which somebody has signed in
 * before has a budget of its own, so that nobody in the same network can use it up. Throws `rate_limited`, `unavailable`.
 */
export async function countBeginning({ options, address, device }: Pick<Visit, "options" | "address" | "device">): Promise<void> {
  const isKnown = await isKnownBrowser(options.db.requestPool, device);
  await options.limits.begin({ address, device: isKnown && device !== undefined ? device : null });
}
