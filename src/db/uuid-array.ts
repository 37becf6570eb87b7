/** Type id of uuid, and how long each is. */
const UUID = 2950;
const BYTES = 16;
const HEADER_BYTES = 20;

/** Where the pairs of digits of a UUID's text begin. */
const PAIRS = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const NONE = 255;
const DIGITS = digits();

/**
 * A uuid[] in PostgreSQL's binary form (array_recv): pg sends a Buffer as it is. Read from text, a thousand cost the server as much as it
 * takes to look up half of them. The ids must be UUIDs in their usual text form.
 */
export function uuidArray(ids: readonly string[]): Buffer {
  const buffer = Buffer.allocUnsafe(HEADER_BYTES + ids.length * (4 + BYTES));
  // An empty list has one dimension, too, of no length.
  buffer.writeInt32BE(1, 0);
  buffer.writeInt32BE(0, 4);
  buffer.writeInt32BE(UUID, 8);
  buffer.writeInt32BE(ids.length, 12);
  buffer.writeInt32BE(1, 16);
  let end = HEADER_BYTES;
  for (const id of ids) {
    end = buffer.writeInt32BE(BYTES, end);
    for (const pair of PAIRS) buffer[end++] = (digit(id, pair) << 4) | digit(id, pair + 1);
  }
  return buffer;
}

function digit(id: string, at: number): number {
  const value = DIGITS[id.charCodeAt(at)];
  if (value === undefined || value === NONE) throw new Error(`\`${id}\` is no UUID.`);
  return value;
}

/** The value of each character that is a hexadecimal digit. */
function digits(): Uint8Array {
  const values = new Uint8Array(128).fill(NONE);
  for (let value = 0; value < 16; value += 1) {
    const text = value.toString(16);
    for (const letter of [text, text.toUpperCase()]) values[letter.charCodeAt(0)] = value;
  }
  return values;
}
