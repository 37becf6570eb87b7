import { open, type FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { Fault } from "../contract.ts";
import type { CsvSettings } from "./config.ts";

/** One line of the file. */
export interface Row {
  /** 1 is the header. */
  line: number;
  cells: readonly string[];
}

/** The file, opened once: what replaces it meanwhile is another file. */
export interface CsvFile {
  /** When it was last written. */
  changedAt: Date;
  /** Every line, the header first, from the beginning each time. Throws `transient` when the file was written to meanwhile. */
  rows(): AsyncGenerator<Row>;
  close(): Promise<void>;
}

/** Throws `misconfigured` when there is no such file, `denied` when it may not be read. */
export async function openCsv({ file, encoding, delimiter }: CsvSettings, { signal }: { signal: AbortSignal }): Promise<CsvFile> {
  const handle = await openFile(file);
  const before = await handle.stat();
  if (!before.isFile()) {
    await handle.close();
    throw new Fault("misconfigured", `${file} is not a file. Set \`file\` to the CSV file itself.`);
  }
  return {
    changedAt: before.mtime,
    async *rows() {
      const parser = parse({ encoding, delimiter, bom: true, relax_column_count: true, skip_empty_lines: true, info: true });
      const input = Readable.from(chunks(handle, signal), { objectMode: false });
      input.on("error", (error) => parser.destroy(error));
      input.pipe(parser);
      try {
        for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
          // What is buffered already must not go on as if nothing had happened.
          signal.throwIfAborted();
          yield { line: info.lines, cells: record };
        }
      } catch (error) {
        throw readFault(file, error);
      } finally {
        input.destroy();
      }
      const after = await handle.stat();
      if (after.mtimeMs !== before.mtimeMs || after.size !== before.size) {
        throw new Fault("transient", `${file} was written to while it was read. Write the file beside it and rename it into place.`);
      }
    },
    close: () => handle.close(),
  };
}

const CHUNK = 64 * 1024;

/** The file's bytes from its beginning; a stream of Node's own would close the file at its end. */
async function* chunks(handle: FileHandle, signal: AbortSignal): AsyncGenerator<Buffer> {
  for (let position = 0; ;) {
    signal.throwIfAborted();
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function openFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, "r");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR")
      throw new Fault("misconfigured", `There is no file ${file}. Set \`file\` to where the feed is written.`, { cause: error });
    if (code === "EACCES" || code === "EPERM")
      throw new Fault("denied", `${file} may not be read. Give the user that Rollcall runs as the right to read it.`, { cause: error });
    throw new Fault("transient", `${file} can't be opened (${code ?? "unknown"}).`, { cause: error });
  }
}

function readFault(file: string, error: unknown): unknown {
  if (error instanceof CsvError) {
    return new Fault(
      "rejected",
      `${file} is not CSV from line ${String(error["lines"] ?? "?")} on: ${error.message.split("\n")[0] ?? error.code}. Is the delimiter right, and every quotation mark closed?`,
      { cause: error },
    );
  }
  if (error instanceof Error && error.name === "AbortError")
    return new Fault("transient", `Reading ${file} was stopped.`, { cause: error });
  return error;
}
