import type { HttpAnswer } from "../kit/http.ts";

/** What Okta's rate limits leave of each endpoint's window, and how long to wait before the next call. */
export interface RateLimits {
  /** Milliseconds to wait before a call; it counts as waited for. */
  takeWait(endpoint: string): number;
  /** Learns from an answer's headers. */
  note(endpoint: string, headers: HttpAnswer["headers"]): void;
}

/** Leaves the rest of each limit to others: once our share is used up, or others have taken it, the next call waits for the next window. */
export function openRateLimits({ share, now }: { share: number; now: () => Date }): RateLimits {
  const resumeAt = new Map<string, number>();
  return {
    takeWait(endpoint) {
      const at = resumeAt.get(endpoint);
      // After one wait a call is made in any case: the window's new numbers come with its answer.
      resumeAt.delete(endpoint);
      return at === undefined ? 0 : Math.max(0, at - now().getTime());
    },
    note(endpoint, headers) {
      const limit = numberIn(headers["x-rate-limit-limit"]);
      const remaining = numberIn(headers["x-rate-limit-remaining"]);
      const waitMs = untilReset(headers, now());
      // A limit of 0 speaks of concurrent requests, which no window restores.
      if (limit === undefined || limit === 0 || remaining === undefined || waitMs === undefined) return;
      if (remaining <= Math.floor(limit * (1 - share))) resumeAt.set(endpoint, now().getTime() + waitMs);
      else resumeAt.delete(endpoint);
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
