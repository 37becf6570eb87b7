/** Type id of text, and what an element that is null has for its length. */
const TEXT = 25;
const NULL = -1;
const HEADER_BYTES = 20;

/**
 * A text[] in PostgreSQL's binary form (array_recv): pg sends a Buffer as it is. Its own text form escapes each element
 * and has the server take it apart again, which costs several times as much where elements are documents.
 */
export function textArray(values: readonly (string | null)[]): Buffer {
  let most = HEADER_BYTES;
  for (const value of values) most += 4 + 3 * (value?.length ?? 0);
  const buffer = Buffer.allocUnsafe(most);
  buffer.writeInt32BE(1, 0);
  buffer.writeInt32BE(1, 4);
  buffer.writeInt32BE(TEXT, 8);
  buffer.writeInt32BE(values.length, 12);
  buffer.writeInt32BE(1, 16);
  let end = HEADER_BYTES;
  for (const value of values) {
    const length = value === null ? NULL : buffer.write(value, end + 4, "utf8");
    buffer.writeInt32BE(length, end);
    end += 4 + Math.max(0, length);
  }
  return buffer.subarray(0, end);
}
