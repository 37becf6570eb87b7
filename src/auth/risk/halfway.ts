import { SIGN_IN_MINUTES } from "../sign-in/store.ts";
import type { NotedAttempt } from "./noted-attempts.ts";

/**
 * Of an attempt `b` that succeeded: a right password, of somebody who has a second factor, after which none was shown from there. Whoever has
 * no more than the password was not let in, and where they come from is no more known than before.
 */
export const HALFWAY = `(b.kind = 'password' and exists (select from factors f where f.person_id = b.person_id and f.created_at <= b.at)
  and not exists (select from sign_in_attempts c where c.person_id = b.person_id and c.kind = 'second_factor' and c.outcome = 'ok'
    and c.network = b.network and c.at between b.at and b.at + interval '${SIGN_IN_MINUTES} minutes'))`;

/** The same of an attempt that was read, among all of its person's. `factorSince`: since when the person has one. Pure. */
export function isHalfway(
  attempt: NotedAttempt,
  { attempts, factorSince }: { attempts: readonly NotedAttempt[]; factorSince: Date | null },
) {
  if (attempt.kind !== "password" || factorSince === null || attempt.at < factorSince) return false;
  const until = attempt.at.getTime() + SIGN_IN_MINUTES * 60_000;
  return !attempts.some(
    ({ kind, outcome, network, at }) =>
      kind === "second_factor" && outcome === "ok" && network === attempt.network && at >= attempt.at && at.getTime() <= until,
  );
}
