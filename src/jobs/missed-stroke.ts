/** A clock, as far as it says when it strikes: `seconds` are those of a minute at which it may. */
export interface Strikes {
  seconds: readonly number[];
  match(date: Date): boolean;
}

const MINUTE_MS = 60_000;

/** The last time that it should have struck after one instant and until another; undefined when it should not. Pure. */
export function lastStroke({ seconds, match }: Strikes, { after, until }: { after: Date; until: Date }): Date | undefined {
  const latestFirst = seconds.toSorted((one, other) => other - one);
  const first = Math.floor(after.getTime() / MINUTE_MS);
  for (let minute = Math.floor(until.getTime() / MINUTE_MS); minute >= first; minute -= 1)
    for (const second of latestFirst) {
      const at = new Date(minute * MINUTE_MS + second * 1000);
      if (at > after && at <= until && match(at)) return at;
    }
  return undefined;
}
