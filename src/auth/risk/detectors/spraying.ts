import type { Evidence } from "../finding.ts";
import { accountOf, type NotedAttempt } from "../noted-attempts.ts";
import { manyFailures } from "./many-failures.ts";

export interface SprayingLimits {
  accounts: number;
  mostEach: number;
  /** From where on an account is an incident of its own. */
  manyFailures: { failures: number; minutes: number };
}

/**
 * One network that fails at many accounts with few attempts each, none of which then gets in from there: in an office many mistype, and
 * then get in. Who tries each more often counts for as long as no account shows it by itself. Pure.
 * @param attempts of one network within the time, the oldest first
 */
export function spraying(attempts: readonly NotedAttempt[], limits: SprayingLimits): Evidence | null {
  const byAccount = new Map<string, NotedAttempt[]>();
  for (const attempt of attempts) {
    const account = accountOf(attempt);
    if (account === null) continue;
    const own = byAccount.get(account);
    if (own) own.push(attempt);
    else byAccount.set(account, [attempt]);
  }
  const sprayed = new Set([...byAccount].flatMap(([account, own]) => (isSprayed(own, limits) ? [account] : [])));
  if (sprayed.size < limits.accounts) return null;
  const failed = attempts.filter((attempt) => attempt.outcome === "failed" && sprayed.has(accountOf(attempt) ?? ""));
  const [first, last] = [failed[0], failed.at(-1)];
  if (!first || !last) return null;
  const gotIn = [...byAccount.values()].filter(hasGotIn).length;
  return { firstAt: first.at, lastAt: last.at, facts: { accounts: sprayed.size, failures: failed.length, accountsThatGotIn: gotIn } };
}

function hasGotIn(own: readonly NotedAttempt[]): boolean {
  return own.some(({ outcome }) => outcome === "ok");
}

/** A name that nobody has is never an incident of its own. */
function isSprayed(own: readonly NotedAttempt[], { mostEach, manyFailures: many }: SprayingLimits): boolean {
  const failures = own.filter(({ outcome }) => outcome === "failed").length;
  if (failures === 0 || hasGotIn(own)) return false;
  return failures <= mostEach || own.some(({ personId }) => personId === null) || manyFailures(own, many) === null;
}
