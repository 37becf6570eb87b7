/** A clock that a test turns itself; each reading is a millisecond after the one before, so that no two changes share a time. */
export interface Clock {
  now(): Date;
  /** Now, without turning the clock. */
  peek(): Date;
  advance(milliseconds: number): void;
}

export function openClock(start = new Date("2026-03-02T08:00:00.000Z")): Clock {
  let at = start.getTime();
  return {
    now: () => new Date(++at),
    peek: () => new Date(at),
    advance: (milliseconds) => {
      at += milliseconds;
    },
  };
}
