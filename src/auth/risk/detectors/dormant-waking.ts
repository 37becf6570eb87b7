import type { Evidence } from "../finding.ts";

export interface Waking {
  /** When they signed in now, and from where. */
  at: Date;
  network: string | null;
  /** When they signed in before; null when that was never noted. */
  before: Date | null;
  createdAt: Date;
  /** Since when attempts are noted at all. */
  watchedSince: Date;
}

const DAY_MS = 86_400_000;

/** Somebody signs in who had not for so many days, or never had in all of an account's that long life. Pure. */
export function dormantWaking({ at, network, before, createdAt, watchedSince }: Waking, { days }: { days: number }): Evidence | null {
  const quietSince = before ?? new Date(Math.max(createdAt.getTime(), watchedSince.getTime()));
  const quiet = Math.floor((at.getTime() - quietSince.getTime()) / DAY_MS);
  if (quiet < days) return null;
  return { firstAt: at, lastAt: at, facts: { quietDays: quiet, before: before?.toISOString() ?? null, network } };
}
