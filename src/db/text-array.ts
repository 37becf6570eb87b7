/** Type id of text, and what an element that is null has for its length. */
const TEXT = 25;
const NULL = -1;
const HEADER_BYTES = 20;
const FIRST_BYTES = 4096;

/** A text[] that is put together element by element: what has been added is bytes, and need not stay in memory as text. */
export interface TextArray {
  add(value: string | null): void;
  /** In PostgreSQL's binary form. Nothing is added after this. */
  bytes(): Buffer;
}

/**
 * A text[] in PostgreSQL's binary form (array_recv): pg sends a Buffer as it is. Its own text form escapes each element
 * and has the server take it apart again, which costs several times as much where elements are documents.
 */
export function textArray(): TextArray {
  let buffer = Buffer.allocUnsafe(FIRST_BYTES);
  let end = HEADER_BYTES;
  let count = 0;
  const makeRoom = (bytes: number) => {
    if (end + bytes <= buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * buffer.length, end + bytes));
    buffer.copy(larger, 0, 0, end);
    buffer = larger;
  };
  return {
    add(value) {
      // A letter has at most three bytes.
      makeRoom(4 + 3 * (value?.length ?? 0));
      const length = value === null ? NULL : buffer.write(value, end + 4, "utf8");
      buffer.writeInt32BE(length, end);
      end += 4 + Math.max(0, length);
      count++;
    },
    bytes() {
      buffer.writeInt32BE(1, 0);
      buffer.writeInt32BE(1, 4);
      buffer.writeInt32BE(TEXT, 8);
      buffer.writeInt32BE(count, 12);
      buffer.writeInt32BE(1, 16);
      return buffer.subarray(0, end);
    },
  };
}
