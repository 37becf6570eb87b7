import type { WireAnswer } from "../contract.ts";

/** Retry-After (RFC 9110 section 10.2.3), as seconds or a date, in milliseconds from now. */
export function parseRetryAfter(value: string | string[] | undefined, now: Date): number | undefined {
  const text = (Array.isArray(value) ? value[0] : value)?.trim();
  if (text === undefined || text === "") return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000);
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime());
}

/** More seconds than anybody waits for a limit: then the number is a moment, in seconds since 1970. */
const A_MOMENT = 1_000_000_000;

/** When a limit is lifted, from those who say it in another header than Retry-After: in seconds, or as a moment. */
export function untilReset(headers: WireAnswer["headers"], now: Date): number | undefined {
  const given = headers["ratelimit-reset"] ?? headers["x-ratelimit-reset"] ?? headers["x-rate-limit-reset"];
  const seconds = Number((Array.isArray(given) ? given[0] : given)?.trim() || Number.NaN);
  if (!(seconds >= 0)) return undefined;
  return seconds < A_MOMENT ? Math.ceil(seconds * 1000) : Math.max(0, seconds * 1000 - now.getTime());
}
