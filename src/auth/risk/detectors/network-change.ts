import type { Evidence } from "../finding.ts";
import { isHalfway } from "../halfway.ts";
import type { NotedAttempt } from "../noted-attempts.ts";

export interface NetworkChangeOptions {
  minutes: number;
  /** Networks from which the person came before. */
  known: ReadonlySet<string>;
  /** Since when the person has a second factor; null: has none. */
  factorSince: Date | null;
  /** The place of a network, as the operator says; undefined where nothing is said. */
  placeOf: (network: string) => string | undefined;
}

const isVersion6 = (network: string) => network.includes(":");

/**
 * Two places of one person within minutes, the second of which is new to them. Who commutes between office, telephone and home comes from
 * known networks; one machine's IPv4 and IPv6 are not two places. From where only the password was shown becomes no known network. Pure.
 * @param attempts of one person, the oldest first
 */
export function networkChange(
  attempts: readonly NotedAttempt[],
  { minutes, known, factorSince, placeOf }: NetworkChangeOptions,
): Evidence | null {
  let found: Evidence | null = null;
  const seen = new Set(known);
  let before: { at: Date; network: string } | undefined;
  for (const attempt of attempts) {
    const { at, outcome, network } = attempt;
    if (outcome !== "ok" || network === null) continue;
    if (
      before &&
      !seen.has(network) &&
      at.getTime() - before.at.getTime() <= minutes * 60_000 &&
      areApart(before.network, network, placeOf)
    )
      found = {
        firstAt: before.at,
        lastAt: at,
        facts: { from: before.network, to: network, fromPlace: placeOf(before.network) ?? null, toPlace: placeOf(network) ?? null },
      };
    if (!isHalfway(attempt, { attempts, factorSince })) seen.add(network);
    before = { at, network };
  }
  return found;
}

function areApart(first: string, second: string, placeOf: NetworkChangeOptions["placeOf"]): boolean {
  const [here, there] = [placeOf(first), placeOf(second)];
  if (here !== undefined && there !== undefined) return here !== there;
  return first !== second && isVersion6(first) === isVersion6(second);
}
