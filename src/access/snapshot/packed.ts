/** Lists of numbers by index, side by side in one block of memory: a hundred thousand small arrays cost several times as much. */
export interface Packed {
  /** Replaces what is kept for this index; an empty list keeps nothing. */
  put(index: number, values: readonly number[]): void;
  /** Where the list of this index begins in `block()`; -1 when there is none. */
  start(index: number): number;
  /** Asked anew after every `put`. */
  block(): Float64Array;
  bytes(): number;
}

const LEAST = 1024;

export function createPacked(): Packed {
  let block = new Float64Array(LEAST);
  let starts = new Int32Array(LEAST).fill(-1);
  let lengths = new Int32Array(LEAST);
  let used = 0;
  let held = 0;

  const moveTo = (size: number): void => {
    const next = new Float64Array(size);
    let end = 0;
    for (let index = 0; index < starts.length; index += 1) {
      const start = starts[index] ?? -1;
      const length = lengths[index] ?? 0;
      if (start < 0) continue;
      next.set(block.subarray(start, start + length), end);
      starts[index] = end;
      end += length;
    }
    block = next;
    used = end;
  };

  const widen = (index: number): void => {
    const size = Math.max(index + 1, Math.ceil(starts.length * 1.5));
    const [nextStarts, nextLengths] = [new Int32Array(size).fill(-1), new Int32Array(size)];
    nextStarts.set(starts);
    nextLengths.set(lengths);
    [starts, lengths] = [nextStarts, nextLengths];
  };

  return {
    put(index, values) {
      if (index >= starts.length) widen(index);
      held += values.length - (lengths[index] ?? 0);
      if (values.length <= (lengths[index] ?? 0) && values.length > 0) {
        block.set(values, starts[index] ?? 0);
        lengths[index] = values.length;
        return;
      }
      starts[index] = -1;
      lengths[index] = 0;
      if (values.length === 0) return;
      // What was replaced lies about until room is needed.
      if (used + values.length > block.length) moveTo(Math.ceil(held * 1.25) + LEAST);
      block.set(values, used);
      starts[index] = used;
      lengths[index] = values.length;
      used += values.length;
    },
    start: (index) => starts[index] ?? -1,
    block: () => block,
    bytes: () => block.byteLength + starts.byteLength + lengths.byteLength,
  };
}
