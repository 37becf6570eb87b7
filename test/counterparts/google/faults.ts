import type { ServerResponse } from "node:http";
import { GoogleError, invalid } from "./errors.ts";

/**
 * What may go wrong with a call. On the wire: `reset`, `truncated`, `slow`, `lost` (done, but the answer never comes). Refusals:
 * `gone` 410, `busy` 429, `busyUntil` 429 with Retry-After, `quota` 403, `unavailable` 503, `forbidden` 403, `worn` page token.
 * Of pages: `empty` but with a next link, `repeated`, in a `circle`, `unlinked` as if it were the last.
 */
export type FaultName =
  | "reset"
  | "truncated"
  | "slow"
  | "lost"
  | "gone"
  | "busy"
  | "busyUntil"
  | "quota"
  | "unavailable"
  | "forbidden"
  | "worn"
  | "empty"
  | "repeated"
  | "circle"
  | "unlinked";

export interface Called {
  method: string;
  path: string;
  query: URLSearchParams;
}

export interface Injected {
  fault: FaultName;
  /** Which calls it strikes; absent = every one. */
  when?: (call: Called) => boolean;
  /** How often. */
  times?: number;
}

export const PAGE_FAULTS: ReadonlySet<FaultName> = new Set(["empty", "repeated", "circle", "unlinked"]);

/** The refusal that a fault is, if it is one. */
export function refusalOf(fault: FaultName | undefined): GoogleError | undefined {
  switch (fault) {
    case "gone":
      return new GoogleError(410, "deleted", "Resource has been deleted");
    case "busy":
      return new GoogleError(429, "rateLimitExceeded", "Rate Limit Exceeded");
    case "busyUntil":
      return new GoogleError(429, "rateLimitExceeded", "Rate Limit Exceeded", "1");
    case "quota":
      return new GoogleError(403, "userRateLimitExceeded", "User Rate Limit Exceeded");
    case "unavailable":
      return new GoogleError(503, "backendError", "Service unavailable. Please try again");
    case "forbidden":
      return new GoogleError(403, "forbidden", "Not Authorized to access this resource/api");
    case "worn":
      return invalid("pageToken");
    default:
      return undefined;
  }
}

/** Sends an answer as the fault has it. */
export function sendBroken(response: ServerResponse, fault: FaultName | undefined, text: string, slowMs: number): boolean {
  if (fault === "reset" || fault === "lost") {
    response.socket?.destroy();
    return true;
  }
  if (fault === "truncated") {
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    response.write(text.slice(0, Math.floor(text.length / 2)));
    setImmediate(() => response.socket?.destroy());
    return true;
  }
  if (fault === "slow") {
    setTimeout(() => {
      if (response.writableEnded || response.destroyed) return;
      response.writeHead(200, { "content-type": "application/json" });
      response.end(text);
    }, slowMs).unref();
    return true;
  }
  return false;
}
