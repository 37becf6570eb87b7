import { parse } from "csv-parse";
import { AppError } from "../errors.ts";

const MOST_IMPORT_ROWS = 50_000;
const MOST_COLUMNS = 200;
const MOST_LETTERS_OF_A_ROW = 100_000;
const CHUNK = 64 * 1024;

export interface ImportFile {
  /** As it was found out: utf-8, utf-16le, utf-16be, windows-1252. */
  encoding: string;
  header: readonly string[];
  rows: readonly { line: number; cells: readonly string[] }[];
}

/**
 * Reads a CSV file (RFC 4180; comma, semicolon or tab, whichever its header line has most of). Throws `invalid` naming the line where it
 * can't be read, `too_large` for more rows than MOST_IMPORT_ROWS.
 */
export async function readImportFile(bytes: Buffer): Promise<ImportFile> {
  const { encoding, text } = decoded(bytes);
  const records: { line: number; cells: string[] }[] = [];
  let next = 1;
  // skip_empty_lines would shift what the lines are called.
  const parser = parse({
    delimiter: delimiterOf(text),
    info: true,
    relax_column_count: true,
    trim: true,
    max_record_size: MOST_LETTERS_OF_A_ROW,
  });
  const feeding = feed(parser, text);
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      if (record.some((cell) => cell !== "")) records.push({ line: next, cells: record });
      next = info.lines + 1;
      if (records.length > MOST_IMPORT_ROWS + 1)
        throw new AppError("too_large", `The file has more than ${MOST_IMPORT_ROWS} rows: import it in parts.`, { field: "body" });
    }
    await feeding;
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError("invalid", `Line ${next}: this is no CSV (a quotation mark is not closed, or the row is too long).`, {
      field: `line ${next}`,
      cause: error,
    });
  }
  const [header, ...rows] = records;
  if (!header) throw new AppError("invalid", "The file is empty: its first line names the columns.", { field: "body" });
  if (header.cells.length > MOST_COLUMNS)
    throw new AppError("invalid", `The file has ${header.cells.length} columns, more than ${MOST_COLUMNS}.`, { field: "line 1" });
  return { encoding, header: header.cells, rows };
}

/** In portions, so that others get their turn in between. */
async function feed(parser: ReturnType<typeof parse>, text: string): Promise<void> {
  for (let at = 0; at < text.length && !parser.destroyed; at += CHUNK) {
    parser.write(text.slice(at, at + CHUNK));
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (!parser.destroyed) parser.end();
}

function decoded(bytes: Buffer): { encoding: string; text: string } {
  const begins = (...mark: number[]) => bytes.subarray(0, mark.length).equals(Buffer.from(mark));
  const as = (encoding: string) => ({ encoding, text: new TextDecoder(encoding, { fatal: true }).decode(bytes) });
  const refused = (cause: unknown) =>
    new AppError("invalid", "The file is written in no encoding that is read here: save it as UTF-8.", { field: "body", cause });
  try {
    if (begins(0xff, 0xfe)) return as("utf-16le");
    if (begins(0xfe, 0xff)) return as("utf-16be");
  } catch (error) {
    throw refused(error);
  }
  if (bytes.includes(0)) throw refused("zero bytes");
  try {
    return as("utf-8");
  } catch (error) {
    if (begins(0xef, 0xbb, 0xbf)) throw refused(error);
    // What older spreadsheets write. Asked for in one piece, Node.js 20 takes it for ISO 8859-1, and €, š and ’ for control characters.
    return { encoding: "windows-1252", text: new TextDecoder("windows-1252").decode(bytes, { stream: true }) };
  }
}

function delimiterOf(text: string): string {
  const header = text.slice(0, 10_000).split(/\r?\n/, 1)[0] ?? "";
  const count = (delimiter: string) => header.split(delimiter).length;
  const [best] = [",", ";", "\t"].toSorted((first, second) => count(second) - count(first));
  return best ?? ",";
}
