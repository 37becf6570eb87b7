/** Turns at reading: so many reads go on at once, the others wait in line, the first to come first. */
export interface ReadingTurns {
  take<T>(read: () => Promise<T>): Promise<T>;
}

export function createReadingTurns({ atOnce }: { atOnce: number }): ReadingTurns {
  const line: (() => void)[] = [];
  let free = atOnce;
  return {
    async take(read) {
      if (free > 0) free -= 1;
      // Whoever has finished hands the turn over, so that nobody who comes now is before who waits.
      else await new Promise<void>((go) => line.push(go));
      try {
        return await read();
      } finally {
        const next = line.shift();
        if (next) next();
        else free += 1;
      }
    },
  };
}
