import { z } from "zod";
import type { Completeness, Cursor, Kind, Page, Source, SourceRecord } from "../../contract.ts";
import type { Recording, RecordingWriter } from "./file.ts";
import type { Redactor } from "./redact.ts";
import { heard, nothingLeft, saidOfFault } from "./said.ts";

interface Recorder {
  writer: RecordingWriter;
  redactor: Redactor;
}

const OPENED = "open";
const CAN = ["readChanges", "listIds", "count"] as const;

/** Opens a Source that writes down all that it returns, for systems that are not reached by the kit's HTTP. */
export async function recordSource(open: () => Promise<Source>, recorder: Recorder): Promise<Source> {
  try {
    const source = await open();
    await recorder.writer.write(OPENED, {
      kinds: source.kinds,
      can: CAN.filter((name) => source[name] !== undefined),
      listedKinds: source.listedKinds,
    });
    return recorded(source, recorder);
  } catch (error) {
    const said = saidOfFault(error);
    if (said) await recorder.writer.write(OPENED, recorder.redactor.value(said));
    throw error;
  }
}

function recorded(source: Source, { writer, redactor }: Recorder): Source {
  const write = (key: string, said: unknown) => writer.write(key, redactor.value(said));
  const faulty = async (key: string, error: unknown): Promise<never> => {
    const said = saidOfFault(error);
    if (said) await write(key, said);
    throw error;
  };
  async function* pages<P, R>(key: string, given: AsyncGenerator<P, R>): AsyncGenerator<P, R> {
    try {
      for (;;) {
        const step = await given.next();
        await write(key, step.done ? { end: step.value } : { page: step.value });
        if (step.done) return step.value;
        yield step.value;
      }
    } catch (error) {
      return await faulty(key, error);
    } finally {
      await given.return(undefined as R);
    }
  }
  async function once<T>(key: string, answer: Promise<T>): Promise<T> {
    const said = await answer.catch((error: unknown) => faulty(key, error));
    await write(key, { answer: said });
    return said;
  }
  const { readChanges, listIds, count } = source;
  return {
    kinds: source.kinds,
    ...(source.listedKinds && { listedKinds: source.listedKinds }),
    readAll: (kind) => pages(keyOf("readAll", kind), source.readAll(kind)),
    ...(readChanges && { readChanges: (kind: Kind, since: Cursor) => pages(keyOf("readChanges", kind), readChanges(kind, since)) }),
    ...(listIds && { listIds: (kind: Kind) => pages(keyOf("listIds", kind), listIds(kind)) }),
    ...(count && { count: (kind: Kind) => once(keyOf("count", kind), count(kind)) }),
    readOne: (kind, nativeId) => once(keyOf("readOne", kind, nativeId), source.readOne(kind, nativeId)),
    close: () => source.close(),
  };
}

/** A Source that returns what was written down. */
export async function replaySource(recording: Recording): Promise<Source> {
  const opened = await recording.take(OPENED);
  if (opened === undefined) throw nothingLeft("the opening of the source");
  const { kinds, can, listedKinds } = heard(openedSchema, opened.said);
  async function said(key: string): Promise<z.output<typeof saidSchema>> {
    const taken = await recording.take(key);
    if (taken === undefined) throw nothingLeft(key);
    return heard(saidSchema, taken.said);
  }
  async function* pages<P, R>(key: string, revived: (page: unknown) => P): AsyncGenerator<P, R> {
    for (;;) {
      const line = await said(key);
      if ("end" in line) return line.end as R;
      if ("page" in line) yield revived(line.page);
    }
  }
  const once = async (key: string): Promise<unknown> => {
    const line = await said(key);
    return "answer" in line ? line.answer : undefined;
  };
  return {
    kinds,
    ...(listedKinds && { listedKinds }),
    readAll: (kind) => pages<Page, Completeness>(keyOf("readAll", kind), revivedPage),
    ...(can.includes("readChanges") && { readChanges: (kind: Kind) => pages<Page, Cursor>(keyOf("readChanges", kind), revivedPage) }),
    ...(can.includes("listIds") && {
      listIds: (kind: Kind) => pages<readonly string[], Completeness>(keyOf("listIds", kind), (page) => page as readonly string[]),
    }),
    ...(can.includes("count") && { count: async (kind: Kind) => heard(z.number(), await once(keyOf("count", kind))) }),
    async readOne(kind, nativeId) {
      const answer = await once(keyOf("readOne", kind, nativeId));
      return answer === "gone" ? "gone" : revivedRecord(answer);
    },
    close: () => Promise.resolve(),
  };
}

function keyOf(call: string, kind: Kind, nativeId?: string): string {
  return nativeId === undefined ? `${call} ${kind}` : `${call} ${kind} ${nativeId}`;
}

const kindSchema = z.enum(["user", "group", "unit"]);
/** What the pipeline relies on; attributes are looked at by the mapping, as those of any source. */
const recordSchema = z.looseObject({
  kind: kindSchema,
  nativeId: z.string(),
  changedAt: z.iso.datetime().optional(),
  attributes: z.record(z.string(), z.unknown()),
});
const pageSchema = z.looseObject({ records: z.array(recordSchema), problems: z.array(z.looseObject({ kind: kindSchema })).optional() });
const openedSchema = z.strictObject({ kinds: z.array(kindSchema), can: z.array(z.enum(CAN)), listedKinds: z.array(kindSchema).optional() });
const saidSchema = z.union([
  z.strictObject({ page: z.unknown() }),
  z.strictObject({ end: z.record(z.string(), z.unknown()) }),
  z.strictObject({ answer: z.unknown() }),
]);

function revivedPage(page: unknown): Page {
  const { records, problems } = heard(pageSchema, page);
  return {
    records: records.map(revivedRecord),
    ...(problems === undefined ? {} : { problems: problems as unknown as Page["problems"] & object }),
  };
}

function revivedRecord(record: unknown): SourceRecord {
  const { changedAt, ...rest } = heard(recordSchema, record);
  return { ...rest, ...(changedAt === undefined ? {} : { changedAt: new Date(changedAt) }) } as SourceRecord;
}
