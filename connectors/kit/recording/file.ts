import { createReadStream } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { z } from "zod";
import { Fault } from "../../contract.ts";

/**
 * A recording is a file of JSON lines: first the header, then what passed, each line under a key by which it is found again,
 * and last how the run ended. It holds personal data, no credentials; nobody but its owner may read it.
 */
export const headerSchema = z.strictObject({
  recording: z.literal(1),
  connection: z.string().max(63),
  connector: z.string().max(63),
  mode: z.enum(["full", "incremental", "remap"]),
  startedAt: z.iso.datetime(),
  /** Where the incremental read began, by kind. */
  cursor: z.record(z.string(), z.record(z.string(), z.unknown())).nullable(),
  /** What was recorded: requests and answers, or what the Source returned. */
  level: z.enum(["http", "source"]),
});
export type RecordingHeader = z.output<typeof headerSchema>;

export const endSchema = z.strictObject({
  /** Hash of the plan, hexadecimal; absent when the run failed. */
  hash: z.string().optional(),
  fault: z.string().optional(),
});
export type RecordingEnd = z.output<typeof endSchema>;

const lineSchema = z.union([z.strictObject({ key: z.string(), said: z.unknown() }), z.strictObject({ end: endSchema })]);

export interface RecordingWriter {
  write(key: string, said: unknown): Promise<void>;
  end(end: RecordingEnd): Promise<void>;
  close(): Promise<void>;
}

/** Makes the file, which must not be there yet. Throws what the file system says. */
export async function createRecording(file: string, header: RecordingHeader): Promise<RecordingWriter> {
  const handle = await open(file, "wx", 0o600);
  let last: Promise<unknown> = Promise.resolve();
  // One after the other, so that no two lines mix.
  const line = (content: unknown): Promise<void> => {
    const written = last.then(() => handle.appendFile(`${JSON.stringify(content)}\n`));
    last = written.catch(() => undefined);
    return written;
  };
  await line(header);
  return {
    write: (key, said) => line({ key, said }),
    end: (end) => line({ end }),
    async close() {
      await last;
      await handle.close();
    },
  };
}

export interface Recording {
  header: RecordingHeader;
  /** Absent when the run was killed. */
  end?: RecordingEnd;
  /** What was said next under this key; undefined when there is no more. Each line is given once. */
  take(key: string): Promise<{ said: unknown } | undefined>;
  close(): Promise<void>;
}

interface Place {
  offset: number;
  length: number;
}

const LONGEST_LINE = 256 * 1024 * 1024;

/** Opens a recording. Only where each line is stands in memory. Throws a Fault `rejected` for a file that is none. */
export async function openRecording(file: string): Promise<Recording> {
  const places = new Map<string, Place[]>();
  let header: RecordingHeader | undefined;
  let end: RecordingEnd | undefined;
  for await (const { text, offset, length } of linesOf(file)) {
    const content = parsed(text);
    if (header === undefined) {
      const read = headerSchema.safeParse(content);
      if (!read.success) throw notOurs(file, `its first line is no header (${read.error.issues[0]?.path.join(".") || "form"})`);
      header = read.data;
      continue;
    }
    const read = lineSchema.safeParse(content);
    // The last line of a run that was killed may be half of one.
    if (!read.success) {
      if (content === undefined) break;
      throw notOurs(file, `the line at byte ${offset} has another form`);
    }
    if ("end" in read.data) end = read.data.end;
    else {
      const known = places.get(read.data.key) ?? [];
      known.push({ offset, length });
      places.set(read.data.key, known);
    }
  }
  if (header === undefined) throw notOurs(file, "it is empty");
  const handle = await open(file, "r");
  return {
    header,
    ...(end === undefined ? {} : { end }),
    async take(key) {
      const place = places.get(key)?.shift();
      if (place === undefined) return undefined;
      const { said } = JSON.parse(await textAt(handle, place)) as { said: unknown };
      return { said };
    },
    close: () => handle.close(),
  };
}

async function textAt(handle: FileHandle, { offset, length }: Place): Promise<string> {
  const bytes = Buffer.alloc(length);
  await handle.read(bytes, 0, length, offset);
  return bytes.toString("utf8");
}

async function* linesOf(file: string): AsyncGenerator<Place & { text: string }> {
  let parts: Buffer[] = [];
  let offset = 0;
  let length = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
    let rest = chunk as Buffer;
    for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10)) {
      parts.push(rest.subarray(0, at));
      length += at;
      yield { text: Buffer.concat(parts).toString("utf8"), offset, length };
      offset += length + 1;
      parts = [];
      length = 0;
      rest = rest.subarray(at + 1);
    }
    parts.push(rest);
    length += rest.length;
    if (length > LONGEST_LINE) throw notOurs(file, `it has a line of more than ${LONGEST_LINE} bytes`);
  }
  if (length > 0) yield { text: Buffer.concat(parts).toString("utf8"), offset, length };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    // Told by the caller, who knows which line it is.
    return undefined;
  }
}

function notOurs(file: string, why: string): Fault {
  return new Fault("rejected", `${file} is not a recording: ${why}. Make one with rollcall connection sync NAME --record FILE.`);
}
