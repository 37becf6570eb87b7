import type { Clock } from "./clock.ts";
import { OktaError } from "./errors.ts";

const WINDOW_MS = 60_000;

/** Okta's limits: so many calls of an endpoint a minute. */
export interface Limits {
  /** Calls a minute, by endpoint; `*` for all others. */
  perMinute: Record<string, number>;
  /** Counts a call and answers its headers; throws 429 when the window is used up. */
  count(endpoint: string): Record<string, string>;
  /** Most calls that any window has seen, by endpoint. */
  readonly busiest: Map<string, number>;
}

export function openLimits(clock: Clock): Limits {
  const windows = new Map<string, { endsAt: number; used: number }>();
  const limits: Limits = {
    perMinute: { "*": 600 },
    busiest: new Map(),
    count(endpoint) {
      const limit = limits.perMinute[endpoint] ?? limits.perMinute["*"] ?? 600;
      const at = clock.peek().getTime();
      let window = windows.get(endpoint);
      // Okta tells the end in whole seconds, and means it a little later.
      if (!window || window.endsAt + 1000 <= at)
        windows.set(endpoint, (window = { endsAt: Math.floor((at + WINDOW_MS) / 1000) * 1000, used: 0 }));
      window.used++;
      limits.busiest.set(endpoint, Math.max(limits.busiest.get(endpoint) ?? 0, window.used));
      const headers = {
        "x-rate-limit-limit": String(limit),
        "x-rate-limit-remaining": String(Math.max(0, limit - window.used)),
        "x-rate-limit-reset": String(window.endsAt / 1000),
      };
      if (window.used > limit) throw tooMany(headers);
      return headers;
    },
  };
  return limits;
}

export function tooMany(headers: Record<string, string>): OktaError {
  return new OktaError(429, "E0000047", "API call exceeded rate limit due to too many requests.", { headers });
}

/** The endpoint that calls are counted for. */
export function endpointOf(method: string, path: string): string {
  return `${method} ${path.replace(/\/00[ug][A-Za-z0-9]{17}/g, "/{id}")}`;
}
