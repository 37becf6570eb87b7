/** Works on some items at once and gives the results in the items' order. Of what is under way or not yet taken there are at most `atOnce`. */
export async function* inOrder<T, R>(
  items: Iterable<T>,
  { atOnce, work }: { atOnce: number; work: (item: T) => Promise<R> },
): AsyncGenerator<R, void> {
  const underWay: Promise<R>[] = [];
  for (const item of items) {
    const result = work(item);
    // Awaited below, unless the caller never comes back.
    result.catch(() => undefined);
    underWay.push(result);
    if (underWay.length < atOnce) continue;
    const first = underWay.shift();
    if (first) yield await first;
  }
  for (const result of underWay) yield await result;
}
