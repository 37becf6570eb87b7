import { Fault, type Cursor, type Kind } from "../contract.ts";

const VERSION = 1;
/** How far our clock may be from Okta's, where Okta does not tell the time. */
const SKEW_MS = 300_000;

/** The cursor after a read that began at this moment of Okta's clock. */
export function cursorAfter({
  kind,
  origin,
  startedAt,
  now,
}: {
  kind: Kind;
  origin: string;
  startedAt: Date | undefined;
  now: Date;
}): Cursor {
  const at = startedAt ?? new Date(now.getTime() - SKEW_MS);
  return { version: VERSION, kind, org: origin, at: at.toISOString() };
}

/**
 * From when on changes are read, as Okta writes times. The overlap is read again each time: Okta's listings may be behind, and
 * what is read twice changes nothing. Throws `expired` for a cursor that is not ours.
 */
export function resumeFrom(
  since: Cursor,
  { kind, origin, overlapSeconds }: { kind: Kind; origin: string; overlapSeconds: number },
): string {
  const { version, org, at } = since;
  const moment = typeof at === "string" ? Date.parse(at) : Number.NaN;
  if (version !== VERSION || since["kind"] !== kind || Number.isNaN(moment))
    throw new Fault("expired", `The cursor was not made by this version of the Okta connector. A full read of ${kind}s makes a new one.`);
  if (org !== origin)
    throw new Fault("expired", `The cursor belongs to another org (${String(org)}). A full read of ${kind}s makes a new one.`);
  return new Date(moment - overlapSeconds * 1000).toISOString();
}
