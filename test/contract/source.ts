import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  Fault,
  type Completeness,
  type Cursor,
  type Kind,
  type Page,
  type RecordProblem,
  type Source,
  type SourceRecord,
} from "../../connectors/contract.ts";

/** The system behind a source, as the suite changes it. Everything acts on the system itself, never through the connector. */
export interface SourceWorld {
  /** NativeIds that a full read must return, by kind; at least three pages of people. */
  expected(kind: Kind): Promise<readonly string[]>;
  addPerson(): Promise<string>;
  changePerson(nativeId: string): Promise<void>;
  removePerson(nativeId: string): Promise<void>;
  /** Somebody who exists, but whom a read of this connection must not return. */
  addPersonOutside?(): Promise<string>;
  /** An id of the right form that nobody has. */
  unknownId: string;
  /** What a good cursor becomes once it is worthless. */
  spoil?(cursor: Cursor): Cursor;
  close(): Promise<void>;
}

export interface SourceContractOptions {
  name: string;
  world: () => Promise<SourceWorld>;
  open: (options: { signal: AbortSignal }) => Promise<Source>;
}

/** What every connector's source must do; a connector's test file calls this against the real system or a faithful one. */
export function sourceContract({ name, world: openWorld, open }: SourceContractOptions): void {
  describe(`source contract: ${name}`, () => {
    let world: SourceWorld;
    let source: Source;
    beforeAll(async () => {
      world = await openWorld();
      source = await open({ signal: new AbortController().signal });
    });
    afterAll(async () => {
      await source?.close();
      await world?.close();
    });

    test("names its kinds, each once", () => {
      expect(source.kinds.length).toBeGreaterThan(0);
      expect(new Set(source.kinds).size).toBe(source.kinds.length);
      expect(source.kinds).toContain("user");
    });

    test("a full read returns every record once, with evidence that it was complete", async () => {
      for (const kind of source.kinds) {
        const { records, problems, end } = await drain(source.readAll(kind));
        expect(problems).toEqual([]);
        expect(sorted(records.map((record) => record.nativeId))).toEqual(sorted(await world.expected(kind)));
        expect(end).toMatchObject({ finalCursor: true, count: records.length });
      }
    });

    test("people come in pages, so that memory stays flat", async () => {
      expect((await drain(source.readAll("user"))).pages).toBeGreaterThanOrEqual(3);
    });

    test("records are plain data of their kind, named by an id that is no e-mail address", async () => {
      for (const kind of source.kinds) {
        for (const record of (await drain(source.readAll(kind))).records) {
          expect(record.kind).toBe(kind);
          expect(record.nativeId).toMatch(/^[^@\s]+$/);
          expect(structuredClone(record)).toEqual(record);
          if (kind === "group") expect(record.members).toBeDefined();
        }
      }
    });

    test("two reads of what has not changed are the same text, in the same words", async () => {
      const text = async () => sorted((await drain(source.readAll("user"))).records.map((record) => JSON.stringify(record)));
      expect(await text()).toEqual(await text());
    });

    test("references name one record each", async () => {
      const records = [];
      for (const kind of source.kinds) records.push(...(await drain(source.readAll(kind))).records);
      const references = records.flatMap((record) => record.reference ?? []);
      expect(new Set(references).size).toBe(references.length);
    });

    test("one record is read by its id, as a full read returns it", async () => {
      for (const kind of source.kinds) {
        const [first] = (await drain(source.readAll(kind))).records;
        if (first !== undefined) expect(await source.readOne(kind, first.nativeId)).toEqual(first);
      }
    });

    test("invariant 1: an id that nobody has is gone, and so is a person who was removed", async () => {
      expect(await source.readOne("user", world.unknownId)).toBe("gone");
      const nativeId = await world.addPerson();
      expect(await source.readOne("user", nativeId)).toMatchObject({ nativeId });
      await world.removePerson(nativeId);
      expect(await source.readOne("user", nativeId)).toBe("gone");
    });

    test("invariant 1: somebody outside of what is read is found by id, marked, and in no read", async () => {
      if (!world.addPersonOutside) return;
      const nativeId = await world.addPersonOutside();
      expect(await source.readOne("user", nativeId)).toMatchObject({ nativeId, outOfScope: true });
      expect((await drain(source.readAll("user"))).records.map((record) => record.nativeId)).not.toContain(nativeId);
    });

    test("the listing of ids is the read's, with its own evidence", async () => {
      if (!source.listIds) return;
      for (const kind of source.kinds) {
        const ids: string[] = [];
        const listing = source.listIds(kind);
        let step = await listing.next();
        for (; !step.done; step = await listing.next()) ids.push(...step.value);
        expect(sorted(ids)).toEqual(sorted(await world.expected(kind)));
        expect(step.value).toMatchObject({ finalCursor: true, count: ids.length });
      }
    });

    test("the count is the read's", async () => {
      for (const kind of source.kinds) if (source.count) expect(await source.count(kind)).toBe((await world.expected(kind)).length);
    });

    test("changes since a full read: those who came and those who changed, and after them nothing but repeats", async () => {
      if (!source.readChanges) return;
      const before = await drain(source.readAll("user"));
      const cursor = before.end.cursor;
      if (cursor === undefined) throw new Error("a source with readChanges gives a cursor with its full read");
      expect(JSON.parse(JSON.stringify(cursor))).toEqual(cursor);
      const [existing] = before.records;
      const added = await world.addPerson();
      await world.changePerson(existing?.nativeId ?? "");
      const changes = await drain(source.readChanges("user", cursor));
      expect(changes.records.map((record) => record.nativeId)).toEqual(expect.arrayContaining([added, existing?.nativeId ?? ""]));
      expect(changes.records.find((record) => record.nativeId === existing?.nativeId)).not.toEqual(existing);

      const again = await drain(source.readChanges("user", changes.end));
      const known = new Map(changes.records.map((record) => [record.nativeId, record]));
      for (const record of again.records) expect(record).toEqual(known.get(record.nativeId));
      const repeated = await drain(source.readChanges("user", cursor));
      expect(repeated.records.map((record) => record.nativeId)).toEqual(expect.arrayContaining([added]));
    });

    test("what changes while a read goes on is not missed by the next increment", async () => {
      if (!source.readChanges) return;
      const read = source.readAll("user");
      const first = await read.next();
      const seen = first.done ? undefined : first.value.records[0]?.nativeId;
      await world.changePerson(seen ?? "");
      let step = await read.next();
      while (!step.done) step = await read.next();
      const changes = await drain(source.readChanges("user", step.value.cursor ?? {}));
      expect(changes.records.map((record) => record.nativeId)).toContain(seen);
    });

    test("a cursor that is no longer good is `expired`, so that the caller reads in full", async () => {
      const { spoil } = world;
      if (!source.readChanges || !spoil) return;
      const { end } = await drain(source.readAll("user"));
      await expect(drain(source.readChanges("user", spoil(end.cursor ?? {})))).rejects.toMatchObject({ name: "Fault", kind: "expired" });
      await expect(drain(source.readChanges("user", {}))).rejects.toMatchObject({ name: "Fault", kind: "expired" });
    });

    test("invariant 1: an abort ends a read with an error, never with evidence", async () => {
      const stop = new AbortController();
      const stoppable = await open({ signal: stop.signal });
      const read = stoppable.readAll("user");
      await read.next();
      stop.abort(new Error("stopped"));
      await expect(drain(read)).rejects.toThrow("stopped");
      await stoppable.close();
    });

    test("a reader who leaves in the middle of a read can read again", async () => {
      const read = source.readAll("user");
      await read.next();
      await read.return({ finalCursor: false, count: 0 });
      expect((await drain(source.readAll("user"))).end.finalCursor).toBe(true);
    });

    test("a kind that it does not have is refused with a sentence", async () => {
      const missing = (["user", "group", "unit"] as const).find((kind) => !source.kinds.includes(kind));
      if (missing !== undefined) await expect(drain(source.readAll(missing))).rejects.toBeInstanceOf(Fault);
    });
  });
}

export interface Drained<R> {
  records: SourceRecord[];
  problems: RecordProblem[];
  pages: number;
  end: R;
}

/** Reads to the end. */
export async function drain<R = Completeness>(read: AsyncGenerator<Page, R>): Promise<Drained<R>> {
  const records: SourceRecord[] = [];
  const problems: RecordProblem[] = [];
  for (let pages = 0; ; pages++) {
    const step = await read.next();
    if (step.done) return { records, problems, pages, end: step.value };
    records.push(...step.value.records);
    problems.push(...(step.value.problems ?? []));
  }
}

function sorted(values: readonly string[]): string[] {
  return [...values].sort();
}
