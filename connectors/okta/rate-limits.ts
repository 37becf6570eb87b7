import type { HttpAnswer } from "../kit/http.ts";

/** Keeps our calls within our share of each endpoint's rate limit. */
export interface RateLimits {
  /** Waits for a call's turn, for the next window where our share is used up. Whoever has entered leaves again. */
  enter(endpoint: string): Promise<void>;
  /** Learns from the answer's headers, if there was an answer. */
  leave(endpoint: string, headers?: HttpAnswer["headers"]): void;
}

interface Endpoint {
  underWay: number;
  /** Calls that our share of the window leaves us, as told last. Undefined = not known: one call alone asks. */
  left: number | undefined;
  /** Which window that is: when it ends. */
  window: string | undefined;
  resumeAt: number | undefined;
  pausing: Promise<void> | undefined;
  /** Who waits for a call to leave. */
  turns: (() => void)[];
}

export interface RateLimitOptions {
  /** 0 to 1. */
  share: number;
  now: () => Date;
  /** Waits for so many milliseconds; throws when all is to end. */
  pause: (endpoint: string, waitMs: number) => Promise<void>;
}

/** Leaves the rest of each limit to others: once our share is used up, or others have taken it, the next call waits for the next window. */
export function openRateLimits({ share, now, pause }: RateLimitOptions): RateLimits {
  const endpoints = new Map<string, Endpoint>();
  const endpointCalled = (name: string): Endpoint => {
    const known = endpoints.get(name);
    if (known) return known;
    const fresh: Endpoint = { underWay: 0, left: undefined, window: undefined, resumeAt: undefined, pausing: undefined, turns: [] };
    endpoints.set(name, fresh);
    return fresh;
  };

  async function untilNextWindow(name: string, endpoint: Endpoint, resumeAt: number): Promise<void> {
    const waitMs = resumeAt - now().getTime();
    if (waitMs > 0) await pause(name, waitMs);
    // The next window's numbers come with the answer of the first call in it.
    Object.assign(endpoint, { resumeAt: undefined, left: undefined, window: undefined });
  }

  /** One wait for all who want to call. */
  function pauseOf(name: string, endpoint: Endpoint, resumeAt: number): Promise<void> {
    return (endpoint.pausing ??= untilNextWindow(name, endpoint, resumeAt).finally(() => (endpoint.pausing = undefined)));
  }

  function learn(endpoint: Endpoint, headers: HttpAnswer["headers"]): void {
    const limit = numberIn(headers["x-rate-limit-limit"]);
    const remaining = numberIn(headers["x-rate-limit-remaining"]);
    const waitMs = untilReset(headers, now());
    // A limit of 0 speaks of concurrent requests, which no window restores.
    if (limit === undefined || limit === 0 || remaining === undefined || waitMs === undefined) {
      endpoint.left ??= Number.POSITIVE_INFINITY;
      return;
    }
    const told = remaining - Math.floor(limit * (1 - share));
    const window = single(headers["x-rate-limit-reset"]);
    // Of calls side by side, an older answer may come last.
    endpoint.left = endpoint.window === window ? Math.min(endpoint.left ?? told, told) : told;
    endpoint.window = window;
    endpoint.resumeAt = endpoint.left <= 0 ? now().getTime() + waitMs : undefined;
  }

  return {
    async enter(name) {
      const endpoint = endpointCalled(name);
      for (;;) {
        if (endpoint.resumeAt !== undefined) await pauseOf(name, endpoint, endpoint.resumeAt);
        // Those under way may not be counted yet in what was told.
        else if (endpoint.underWay === 0 || endpoint.underWay < (endpoint.left ?? 1)) break;
        else await new Promise<void>((resolve) => endpoint.turns.push(resolve));
      }
      endpoint.underWay++;
    },
    leave(name, headers) {
      const endpoint = endpointCalled(name);
      endpoint.underWay--;
      if (headers) learn(endpoint, headers);
      for (const turn of endpoint.turns.splice(0)) turn();
    },
  };
}

/** Until the window ends by Okta's own clock, and a second more, since both times are cut to seconds. Undefined when Okta does not say. */
export function untilReset(headers: HttpAnswer["headers"], now: Date): number | undefined {
  const reset = numberIn(headers["x-rate-limit-reset"]);
  if (reset === undefined) return undefined;
  const told = Date.parse(single(headers["date"]) ?? "");
  return Math.max(0, reset * 1000 - (Number.isNaN(told) ? now.getTime() : told)) + 1000;
}

/** The endpoint that a limit is kept for: the path with ids left out. */
export function endpointOf(method: string, path: string): string {
  const [bare = ""] = path.split("?");
  const segments = bare.split("/");
  // /api/v1/users/{id}/… and /api/v1/groups/{id}/users/{id}
  return `${method} ${segments.map((segment, index) => (index === 4 || (index === 6 && segments[5] === "users") ? "{id}" : segment)).join("/")}`;
}

function numberIn(value: string | string[] | undefined): number | undefined {
  const text = single(value)?.trim();
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
