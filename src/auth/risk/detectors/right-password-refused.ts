import { named, type Evidence } from "../finding.ts";
import type { NotedAttempt } from "../noted-attempts.ts";

/** What is noted when the credentials were right and the person may not come in. */
export const NOT_ACTIVE = "not_active";

/** Somebody who is suspended or has left still tries, or somebody else has their password. Pure. */
export function rightPasswordRefused(attempts: readonly NotedAttempt[]): Evidence | null {
  const refused = attempts.filter(({ outcome, why }) => outcome === "refused" && why === NOT_ACTIVE);
  const [first, last] = [refused[0], refused.at(-1)];
  if (!first || !last) return null;
  return {
    firstAt: first.at,
    lastAt: last.at,
    facts: { attempts: refused.length, networks: named(refused.map(({ network }) => network)) },
  };
}
