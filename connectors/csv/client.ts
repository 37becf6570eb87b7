import { Readable } from "node:stream";
import { CsvError, parse, type Parser } from "csv-parse";
import { Fault } from "../contract.ts";
import type { CsvSettings } from "./config.ts";
import { decode } from "./decode.ts";
import { delimiterOf } from "./delimiter.ts";
import { encodingOf, type Encoding } from "./encoding.ts";
import type { Place, Snapshot } from "./place.ts";

/** One line of the file. */
export interface Row {
  /** 1 is the header. */
  line: number;
  cells: readonly string[];
  /** The file ends in it without a line break: the rest of it may be missing. */
  torn?: true;
}

/** The file, opened once: what replaces it meanwhile is another file. */
export interface CsvFile {
  name: string;
  /** See Place.look. */
  version: string;
  /** When it was last written. */
  changedAt: Date;
  encoding: Encoding;
  /** Every line, the header first, from the beginning each time. Throws `transient` when the file was written to meanwhile. */
  rows(): AsyncGenerator<Row>;
  close(): Promise<void>;
}

/** Most letters of a line: what an open quotation mark may swallow before it is noticed. */
const LONGEST_LINE = 1_000_000;
const CHUNK = 64 * 1024;

/** Takes what stands at the place now. Throws the place's Faults, and `rejected` when the encoding can't be told. */
export async function openCsv(place: Place, { settings, signal }: { settings: CsvSettings; signal: AbortSignal }): Promise<CsvFile> {
  const snapshot = await place.take();
  const { name, version, changedAt, handle } = snapshot;
  try {
    const encoding = await encodingOf({ name, bytes: () => bytesOf(snapshot, signal) }, settings.encoding);
    return {
      name,
      version,
      changedAt,
      encoding,
      rows: () => rowsOf(snapshot, { settings, encoding, signal }),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

interface Reading {
  settings: CsvSettings;
  encoding: Encoding;
  signal: AbortSignal;
}

async function* rowsOf(snapshot: Snapshot, { settings, encoding, signal }: Reading): AsyncGenerator<Row> {
  const { name } = snapshot;
  let lastLetter = "\n";
  let input: Readable | undefined;
  try {
    const text = decode({ name, bytes: () => bytesOf(snapshot, signal) }, encoding);
    const begun = await beginningOf(text, name);
    const parser = parserFor({ delimiter: settings.delimiter === "auto" ? delimiterOf(name, firstLine(begun)) : settings.delimiter });
    input = Readable.from(
      watched(begun, text, (letter) => (lastLetter = letter)),
      { objectMode: false },
    );
    input.on("error", (error) => parser.destroy(error));
    input.pipe(parser);
    let row: Row | undefined;
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      // What is buffered already must not go on as if nothing had happened.
      signal.throwIfAborted();
      if (row) yield row;
      row = { line: info.lines, cells: record };
    }
    const torn = settings.lastLineBreak === "required" && lastLetter !== "\n" && lastLetter !== "\r";
    if (row) yield torn ? { ...row, torn } : row;
  } catch (error) {
    throw readFault(name, error);
  } finally {
    input?.destroy();
  }
  if (!(await snapshot.untouched()))
    throw new Fault("transient", `${name} was written to while it was read. Write the file beside it and rename it into place.`);
}

function parserFor({ delimiter }: { delimiter: string }): Parser {
  return parse({ delimiter, relax_column_count: true, skip_empty_lines: true, info: true, max_record_size: LONGEST_LINE });
}

/** So much of the text that the header line is whole. */
async function beginningOf(text: AsyncGenerator<string>, name: string): Promise<string> {
  let begun = "";
  while (!/[\r\n]/.test(begun)) {
    const { done, value } = await text.next();
    if (done) break;
    begun += value;
    if (begun.length > LONGEST_LINE + CHUNK && !/[\r\n]/.test(begun))
      throw new Fault("rejected", `The first line of ${name} has more than ${LONGEST_LINE} letters: this is no CSV file.`);
  }
  return begun;
}

function firstLine(text: string): string {
  return /^[^\r\n]*/.exec(text.replace(/^[\r\n]+/, ""))?.[0] ?? "";
}

async function* watched(begun: string, rest: AsyncGenerator<string>, note: (letter: string) => void): AsyncGenerator<string> {
  if (begun !== "") {
    note(begun.slice(-1));
    yield begun;
  }
  for await (const text of rest) {
    note(text.slice(-1));
    yield text;
  }
}

/** The file's bytes from its beginning; a stream of Node's own would close the file at its end. */
async function* bytesOf({ handle, size }: Snapshot, signal: AbortSignal): AsyncGenerator<Buffer> {
  // Never more than it had when it was taken: who goes on writing must not keep us reading.
  for (let position = 0; position < size;) {
    signal.throwIfAborted();
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK), 0, Math.min(CHUNK, size - position), position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** The parser's own sentences quote what they stumbled over, which may be somebody's data. */
const REASONS: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: "a quotation mark is never closed",
  INVALID_OPENING_QUOTE: "a quotation mark stands in the middle of a cell",
  CSV_INVALID_CLOSING_QUOTE: "something stands between a closing quotation mark and the delimiter",
  CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE: "something stands between a closing quotation mark and the delimiter",
  CSV_MAX_RECORD_SIZE: `a line has more than ${LONGEST_LINE} letters`,
};

function readFault(name: string, error: unknown): unknown {
  if (error instanceof CsvError) {
    const line = String(error["lines"] ?? "?");
    const column = typeof error["column"] === "number" ? ` (column ${error["column"] + 1})` : "";
    const reason = REASONS[error.code] ?? error.code;
    return new Fault(
      "rejected",
      `${name} is not CSV from line ${line} on${column}: ${reason}. Is the delimiter right, and every quotation mark closed?`,
    );
  }
  if (error instanceof Error && error.name === "AbortError")
    return new Fault("transient", `Reading ${name} was stopped.`, { cause: error });
  return error;
}
