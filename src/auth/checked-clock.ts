import type { CheckResult } from "../../connectors/contract.ts";

/** How far another server's clock (the `Date` of its answer, RFC 9110 section 6.6.1) is from ours, against what is allowed for. Pure. */
export function clockResult({
  said,
  now,
  clockSkewSeconds,
}: {
  said: string | readonly string[] | undefined;
  now: Date;
  clockSkewSeconds: number;
}): CheckResult[] {
  const at = typeof said === "string" ? Date.parse(said) : Number.NaN;
  if (Number.isNaN(at)) return [];
  // The header has whole seconds.
  const seconds = Math.round(Math.abs(now.getTime() - at) / 1000);
  const ok = seconds <= Math.max(1, clockSkewSeconds);
  const message = ok
    ? `ours and that of the other side differ by ${seconds} s`
    : `ours and that of the other side differ by ${seconds} s, and clockSkewSeconds allows ${clockSkewSeconds}: have both set by NTP`;
  return [{ name: "Clock", ok, message }];
}
