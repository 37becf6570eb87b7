import { Fault, type Completeness, type Kind, type Page, type Source, type SourceRecord } from "../../connectors/contract.ts";

/** What a connected system holds, and how its reads go wrong, for tests of the pipeline (the store is a real PostgreSQL). */
export interface World {
  records: Map<string, SourceRecord>;
  pageSize: number;
  /** Break the n-th page of a read: cut the answer short without an end, or fail. */
  trouble?: { page: number; kind: "cut" | "fail" };
  /** Records that listings leave out by mistake. */
  hidden: Set<string>;
}

export function world(records: readonly SourceRecord[] = []): World {
  return { records: new Map(records.map((record) => [key(record), record])), pageSize: 3, hidden: new Set() };
}

export function put(into: World, record: SourceRecord): void {
  into.records.set(key(record), record);
}

export function remove(from: World, kind: Kind, nativeId: string): void {
  from.records.delete(`${kind}/${nativeId}`);
}

function key({ kind, nativeId }: SourceRecord): string {
  return `${kind}/${nativeId}`;
}

export function worldSource(from: World, kinds: readonly Kind[] = ["unit", "user", "group"]): Source {
  const listed = (kind: Kind) => [...from.records.values()].filter((record) => record.kind === kind && !from.hidden.has(key(record)));
  return {
    kinds,
    async *readAll(kind): AsyncGenerator<Page, Completeness> {
      const records = listed(kind);
      let count = 0;
      for (let at = 0, page = 0; at < records.length || page === 0; at += from.pageSize, page++) {
        if (from.trouble?.page === page && from.trouble.kind === "fail") throw new Fault("transient", "The source hung up.");
        if (from.trouble?.page === page && from.trouble.kind === "cut") return { finalCursor: false, count };
        const slice = records.slice(at, at + from.pageSize);
        count += slice.length;
        yield { records: slice };
      }
      return { finalCursor: true, count };
    },
    count: (kind) => Promise.resolve([...from.records.values()].filter((record) => record.kind === kind).length),
    readOne: (kind, nativeId) => Promise.resolve(from.records.get(`${kind}/${nativeId}`) ?? "gone"),
    close: () => Promise.resolve(),
  };
}
