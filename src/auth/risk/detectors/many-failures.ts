import { named, type Evidence } from "../finding.ts";
import type { NotedAttempt } from "../noted-attempts.ts";

const SECOND: ReadonlySet<NotedAttempt["kind"]> = new Set(["second_factor", "step_up"]);

/**
 * So many failures at one account within the time, with no success between: whoever mistypes and gets in begins anew. A right password is no
 * success at the second factor, and neither is a code that was sent: who has the password gives it before each guess. Pure.
 * @param attempts of one person, the oldest first
 */
export function manyFailures(
  attempts: readonly NotedAttempt[],
  { failures, minutes }: { failures: number; minutes: number },
): Evidence | null {
  let streak: NotedAttempt[] = [];
  let found: NotedAttempt[] = [];
  for (const attempt of attempts) {
    if (attempt.outcome === "ok") streak = streak.filter((failure) => !makesUpFor(attempt, failure));
    if (attempt.outcome !== "failed") continue;
    const earliest = attempt.at.getTime() - minutes * 60_000;
    streak = [...streak.filter(({ at }) => at.getTime() > earliest), attempt];
    if (streak.length >= failures) found = streak;
  }
  const [first, last] = [found[0], found.at(-1)];
  if (!first || !last) return null;
  return { firstAt: first.at, lastAt: last.at, facts: { failures: found.length, networks: named(found.map(({ network }) => network)) } };
}

/** Whether who succeeded has done what failed before. */
function makesUpFor({ kind }: NotedAttempt, failure: NotedAttempt): boolean {
  if (SECOND.has(kind)) return true;
  return kind !== "challenge" && !SECOND.has(failure.kind);
}
