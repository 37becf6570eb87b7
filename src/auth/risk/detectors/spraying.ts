import type { Evidence } from "../finding.ts";
import { accountOf, type NotedAttempt } from "../noted-attempts.ts";

interface Standing {
  failures: number;
  gotIn: boolean;
}

/**
 * One network that fails at many accounts with few attempts each, none of which then gets in from there: in an office many mistype, and
 * then get in. Pure.
 * @param attempts of one network within the time, the oldest first
 */
export function spraying(
  attempts: readonly NotedAttempt[],
  { accounts, mostEach }: { accounts: number; mostEach: number },
): Evidence | null {
  const standings = new Map<string, Standing>();
  for (const attempt of attempts) {
    const account = accountOf(attempt);
    if (account === null) continue;
    const standing = standings.get(account) ?? { failures: 0, gotIn: false };
    if (attempt.outcome === "ok") standing.gotIn = true;
    if (attempt.outcome === "failed") standing.failures += 1;
    standings.set(account, standing);
  }
  const isSprayed = (account: string | null) => {
    const standing = account === null ? undefined : standings.get(account);
    return standing !== undefined && !standing.gotIn && standing.failures > 0 && standing.failures <= mostEach;
  };
  const sprayed = [...standings.keys()].filter(isSprayed);
  if (sprayed.length < accounts) return null;
  const failed = attempts.filter((attempt) => attempt.outcome === "failed" && isSprayed(accountOf(attempt)));
  const [first, last] = [failed[0], failed.at(-1)];
  if (!first || !last) return null;
  const gotIn = [...standings.values()].filter((standing) => standing.gotIn).length;
  return { firstAt: first.at, lastAt: last.at, facts: { accounts: sprayed.length, failures: failed.length, accountsThatGotIn: gotIn } };
}
