import { named, type Evidence } from "../finding.ts";
import type { NotedAttempt } from "../noted-attempts.ts";

const ANSWERS: ReadonlySet<string> = new Set(["second_factor", "step_up"]);

/**
 * Many challenges to one person, sent, denied or answered wrongly, and then one is accepted: somebody who knows the password asks until the
 * owner gives in. Pure.
 * @param attempts of one person, the oldest first
 */
export function factorFatigue(
  attempts: readonly NotedAttempt[],
  { challenges, minutes }: { challenges: number; minutes: number },
): Evidence | null {
  let waiting: NotedAttempt[] = [];
  let found: Evidence | null = null;
  for (const attempt of attempts) {
    const { at, kind, outcome } = attempt;
    waiting = waiting.filter((each) => each.at.getTime() > at.getTime() - minutes * 60_000);
    if (kind === "challenge" || (ANSWERS.has(kind) && outcome !== "ok")) waiting.push(attempt);
    else if (ANSWERS.has(kind)) {
      const first = waiting[0];
      if (first && waiting.length >= challenges)
        found = {
          firstAt: first.at,
          lastAt: at,
          facts: {
            challenges: waiting.filter((each) => each.kind === "challenge").length,
            denied: waiting.filter((each) => each.kind !== "challenge").length,
            networks: named(waiting.map(({ network }) => network)),
          },
        };
      waiting = [];
    }
  }
  return found;
}
