import type { RateLimit } from "../../../connectors/scim-inbound/config.ts";

/** Limits how often each client may come: a bucket each, filled at a steady rate. */
export interface TokenBuckets {
  /** Undefined when the client may come now; else the seconds until it may. */
  take(key: string, limit: RateLimit): number | undefined;
}

interface Bucket {
  left: number;
  /** When `left` was true, in milliseconds. */
  at: number;
}

const MOST_BUCKETS = 10_000;
/** Whoever waited as told comes in, however the sums were rounded. */
const ONE = 1 - 1e-9;

/** Buckets of this process; several nodes each let the rate through. */
export function createTokenBuckets({ now }: { now: () => Date }): TokenBuckets {
  const buckets = new Map<string, Bucket>();
  return {
    take(key, { perSecond, burst = Math.max(1, Math.ceil(perSecond)) }) {
      const at = now().getTime();
      const before = buckets.get(key);
      const left = before ? Math.min(burst, before.left + (Math.max(0, at - before.at) / 1000) * perSecond) : burst;
      // The oldest go first; a bucket that was not asked for long is full again anyway.
      buckets.delete(key);
      if (buckets.size >= MOST_BUCKETS) buckets.delete(buckets.keys().next().value ?? "");
      const comes = left >= ONE;
      buckets.set(key, { left: comes ? Math.max(0, left - 1) : left, at });
      return comes ? undefined : (1 - left) / perSecond;
    },
  };
}
