import { createHash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";
import { AppError } from "../../errors.ts";

/** No line is longer: 40 digits, a colon, a count. */
const LONGEST_LINE = 80;
/** Shorter beginnings of hashes would be everybody's. */
const FEWEST_DIGITS = 10;

/**
 * Whether a password stands in a file of SHA-1 hashes, as haveibeenpwned.com hands it out: hexadecimal digits in order, a line each, a
 * count behind a colon or none; of each hash the beginning is enough. Reads about log2(size) pieces of it, however large it is.
 * Throws `misconfigured` when it can't be read, or is not such a file.
 */
export async function isInBreachedFile(password: string, path: string): Promise<boolean> {
  const wanted = createHash("sha1").update(password, "utf8").digest("hex").toUpperCase();
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    return await search(file, { wanted, path });
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw unreadable(path, cause);
  } finally {
    await file?.close();
  }
}

async function search(file: FileHandle, { wanted, path }: { wanted: string; path: string }): Promise<boolean> {
  // Of the lines that begin in [from, to) one may be the wanted one.
  let [from, to] = [0, (await file.stat()).size];
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    const line = await lineFrom(file, { middle, from });
    if (line === undefined || line.start >= to) {
      to = middle;
      continue;
    }
    const digits = digitsOf(line.text, path);
    const there = wanted.slice(0, digits.length);
    if (digits === there) return true;
    if (digits < there) from = line.end;
    else to = middle;
  }
  return false;
}

/** The first line that begins at `middle` or after it. */
async function lineFrom(
  file: FileHandle,
  { middle, from }: { middle: number; from: number },
): Promise<{ text: string; start: number; end: number } | undefined> {
  const before = middle > from ? 1 : 0;
  const piece = Buffer.alloc(2 * LONGEST_LINE + 1);
  const { bytesRead } = await file.read(piece, 0, piece.length, middle - before);
  const text = piece.toString("latin1", 0, bytesRead);
  // A line begins where the one before it ends.
  const begins = before === 0 ? 0 : text.indexOf("\n") + 1;
  if (before === 1 && begins === 0) return undefined;
  if (begins >= bytesRead) return undefined;
  const newline = text.indexOf("\n", begins);
  const ends = newline === -1 ? bytesRead : newline + 1;
  return { text: text.slice(begins, ends).trim(), start: middle - before + begins, end: middle - before + ends };
}

function digitsOf(line: string, path: string): string {
  const digits = /^([0-9A-F]{1,40})(:\d+)?$/i.exec(line)?.[1]?.toUpperCase();
  if (digits === undefined || digits.length < FEWEST_DIGITS) throw unreadable(path);
  return digits;
}

function unreadable(path: string, cause?: unknown): AppError {
  return new AppError(
    "misconfigured",
    `signIn.password.breachedFile: ${path} can't be read as SHA-1 hashes in order, a line each, of ${FEWEST_DIGITS} digits or more.`,
    { field: "signIn.password.breachedFile", cause },
  );
}
