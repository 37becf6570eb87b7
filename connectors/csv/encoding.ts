import { Fault } from "../contract.ts";
import type { CsvSettings } from "./config.ts";
import { scanUtf8 } from "./utf8-scan.ts";

export type Encoding = Exclude<CsvSettings["encoding"], "auto">;

/** Bytes as they come, from the beginning each time it is called. */
export type Bytes = () => AsyncGenerator<Buffer>;

export interface EncodedFile {
  /** What messages call the file. */
  name: string;
  bytes: Bytes;
}

/** Byte order marks (RFC 3629 section 6, RFC 2781 section 3.2). */
const MARKS: readonly { encoding: Encoding; mark: Buffer }[] = [
  { encoding: "utf8", mark: Buffer.from([0xef, 0xbb, 0xbf]) },
  { encoding: "utf16le", mark: Buffer.from([0xff, 0xfe]) },
  { encoding: "utf16be", mark: Buffer.from([0xfe, 0xff]) },
];

/**
 * Finds out how the file is written. Throws `rejected` when the mark at its beginning contradicts the setting, and when part of
 * it is UTF-8 and part is not: read either way, names would have wrong letters.
 */
export async function encodingOf(file: EncodedFile, chosen: CsvSettings["encoding"]): Promise<Encoding> {
  const start = await beginningOf(file.bytes);
  const marked = MARKS.find(({ mark }) => start.subarray(0, mark.length).equals(mark))?.encoding;
  if (chosen === "auto") return marked ?? (await unmarked(file, start));
  if (marked !== undefined && marked !== chosen)
    throw new Fault(
      "rejected",
      `${file.name} begins with the mark of ${marked}, but \`encoding\` says ${chosen}. Set it to ${marked} or auto.`,
    );
  return chosen;
}

async function beginningOf(bytes: Bytes): Promise<Buffer> {
  for await (const chunk of bytes()) return chunk.subarray(0, 64);
  return Buffer.alloc(0);
}

/** All of it is looked at: of 2,000 plain names only the last may have an accent. */
async function unmarked({ name, bytes }: EncodedFile, start: Buffer): Promise<Encoding> {
  if (start.includes(0))
    throw new Fault("rejected", `${name} has zero bytes at its beginning, as UTF-16 has them. Set \`encoding\` to utf16le or utf16be.`);
  const scan = scanUtf8();
  for await (const chunk of bytes()) scan.feed(chunk);
  const brokenAt = scan.brokenAt ?? (scan.open ? scan.line : undefined);
  if (brokenAt === undefined) return "utf8";
  if (scan.letters === 0) return "windows-1252";
  throw new Fault(
    "rejected",
    `${name} is UTF-8 in parts, but not in line ${brokenAt}: it is damaged, or made of two files. Write it in one encoding, or set \`encoding\`.`,
  );
}
