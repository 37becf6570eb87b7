export interface InParallelOptions<T> {
  /** How many at a time. */
  atOnce: number;
  work: (item: T) => Promise<void>;
}

/** Works through a list in its order, some of it at a time. The first failure is thrown; what has begun by then is not waited for. */
export async function inParallel<T>(items: readonly T[], { atOnce, work }: InParallelOptions<T>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await work(next);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
