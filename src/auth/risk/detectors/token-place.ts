import { named, type Evidence } from "../finding.ts";

export interface TokenUse {
  at: Date;
  network: string;
}

export interface TokenPlaceOptions {
  createdAt: Date;
  learnDays: number;
  knownDays: number;
  placeOf: (network: string) => string | undefined;
}

const DAY_MS = 86_400_000;
const isVersion6 = (network: string) => network.includes(":");

/**
 * A token comes from a network that it has not come from for long, once it had time to show where it lives. The first of the other
 * IP version, and another network of a place that it is known from, are nothing new. Pure.
 * @param uses at changes of network, each with the last one from the network before it; the oldest first
 */
export function tokenPlace(uses: readonly TokenUse[], { createdAt, learnDays, knownDays, placeOf }: TokenPlaceOptions): Evidence | null {
  const learnt = createdAt.getTime() + learnDays * DAY_MS;
  const lastFrom = new Map<string, number>();
  let found: Evidence | null = null;
  for (const { at, network } of uses) {
    const known = [...lastFrom].filter(([, time]) => time > at.getTime() - knownDays * DAY_MS).map(([each]) => each);
    const place = placeOf(network);
    const isNear = (each: string) => each === network || (place !== undefined && placeOf(each) === place);
    const alike = known.filter((each) => isVersion6(each) === isVersion6(network));
    if (at.getTime() >= learnt && alike.length > 0 && !known.some(isNear))
      found = { firstAt: at, lastAt: at, facts: { network, place: place ?? null, known: named(known) } };
    lastFrom.set(network, at.getTime());
  }
  return found;
}
