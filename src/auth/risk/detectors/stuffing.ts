import type { Evidence } from "../finding.ts";

/** What all attempts within the time come to. */
export interface StuffingCounts {
  /** Accounts at which somebody failed and did not get in. */
  accounts: number;
  networks: number;
  failures: number;
  successes: number;
  firstAt: Date | null;
  lastAt: Date | null;
}

/**
 * Failures at many accounts from many networks, and many more of them than successes: lists of stolen passwords, tried from machines
 * all over. No single account or network shows it. Pure.
 */
export function stuffing(
  { accounts, networks, failures, successes, firstAt, lastAt }: StuffingCounts,
  limits: { accounts: number; networks: number; failuresPerSuccess: number },
): Evidence | null {
  if (firstAt === null || lastAt === null) return null;
  if (accounts < limits.accounts || networks < limits.networks || failures < limits.failuresPerSuccess * Math.max(1, successes))
    return null;
  return { firstAt, lastAt, facts: { accounts, networks, failures, successes } };
}
