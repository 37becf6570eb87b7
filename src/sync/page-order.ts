/**
 * Pages are decided side by side; one that names a record of a page still under way waits for that one, so that what
 * was read last is staged last.
 */
export type PageOrder = (ids: readonly string[], work: () => Promise<void>) => Promise<void>;

export function pageOrder(): PageOrder {
  const underWay = new Set<{ ids: ReadonlySet<string>; done: Promise<void> }>();
  return (ids, work) => {
    const earlier = [...underWay].filter((page) => ids.some((id) => page.ids.has(id))).map(({ done }) => done);
    const page = { ids: new Set(ids), done: earlier.length === 0 ? work() : Promise.all(earlier).then(work) };
    underWay.add(page);
    const end = () => void underWay.delete(page);
    page.done.then(end, end);
    return page.done;
  };
}
