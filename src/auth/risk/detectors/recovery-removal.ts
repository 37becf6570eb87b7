import type { Evidence } from "../finding.ts";

/** A recovery code let somebody in, and soon after a second factor was removed: how an account is taken for good. Pure. */
export function recoveryRemoval(
  { recoveries, removals }: { recoveries: readonly Date[]; removals: readonly Date[] },
  { minutes }: { minutes: number },
): Evidence | null {
  const pairs = removals.flatMap((removed) => {
    const used = recoveries.findLast((at) => at <= removed && removed.getTime() - at.getTime() <= minutes * 60_000);
    return used === undefined ? [] : [{ used, removed }];
  });
  const [first, last] = [pairs[0], pairs.at(-1)];
  if (!first || !last) return null;
  return { firstAt: first.used, lastAt: last.removed, facts: { removals: pairs.length, usedAt: last.used.toISOString() } };
}
