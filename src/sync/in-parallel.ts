export interface InParallelOptions<T> {
  /** How many at a time. */
  atOnce: number;
  work: (item: T) => Promise<void>;
}

/**
 * Works through a list in its order, some of it at a time. After the first failure nothing more is begun, and it is thrown once what
 * had begun is over: whoever hears of it may let go of what it held meanwhile.
 */
export async function inParallel<T>(items: readonly T[], { atOnce, work }: InParallelOptions<T>): Promise<void> {
  const queue = [...items];
  const failures: unknown[] = [];
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      try {
        await work(next);
      } catch (error) {
        queue.length = 0;
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (failures.length > 0) throw failures[0];
}
