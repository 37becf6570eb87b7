/**
 * Turns at reading: so many reads go on at once, the others wait in line, the first to come first. Behind reads that take long nobody waits
 * longer than the patience, while a connection is left.
 */
export interface ReadingTurns {
  take<T>(read: () => Promise<T>): Promise<T>;
}

export interface ReadingTurnsOptions {
  atOnce: number;
  /** So many go on when somebody has waited for long. */
  atMost: number;
  patienceMs: number;
}

interface Waiting {
  go(): void;
  since: number;
}

export function createReadingTurns({ atOnce, atMost, patienceMs }: ReadingTurnsOptions): ReadingTurns {
  const line: Waiting[] = [];
  let going = 0;
  let patience: NodeJS.Timeout | undefined;

  /** Lets all go whose turn it is, in the order in which they came. */
  const proceed = (): void => {
    clearTimeout(patience);
    for (let first = line[0]; first; first = line[0]) {
      const left = first.since + patienceMs - performance.now();
      if (going >= (left > 0 ? atOnce : atMost)) {
        if (left > 0 && going < atMost) patience = setTimeout(proceed, Math.ceil(left));
        return;
      }
      line.shift();
      going += 1;
      first.go();
    }
  };

  return {
    async take(read) {
      await new Promise<void>((go) => {
        line.push({ go, since: performance.now() });
        proceed();
      });
      try {
        return await read();
      } finally {
        going -= 1;
        proceed();
      }
    },
  };
}
