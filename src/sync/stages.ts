import type { Kind } from "../../connectors/contract.ts";
import type { Span } from "./passing-order.ts";

/** Units before people before groups; how many items at most make a transaction, and how many transactions go on at once. */
export const STAGES: readonly { kind: Kind; most: number; atOnce: number }[] = [
  { kind: "unit", most: 200, atOnce: 1 },
  { kind: "user", most: 1000, atOnce: 2 },
  { kind: "group", most: 50, atOnce: 2 },
];
/** Of people, no fewer than this many make a transaction while there are more. */
const FEWEST = 100;

/** How many items make a transaction: so many that there are enough of them to go on side by side. */
function sizeOf({ items, most, atOnce }: { items: number; most: number; atOnce: number }): number {
  return atOnce === 1 ? most : Math.min(most, Math.max(FEWEST, Math.ceil(items / (2 * atOnce))));
}

/** Items that one transaction applies. */
export interface ItemRange {
  /** In their order. */
  spans: readonly Span[];
  /** Its people have each other's names afterwards. */
  passing: boolean;
}

/** Cuts a kind's items into what one transaction applies. Pure. */
export function rangesOf(
  { first, last, count }: Span & { count: number },
  { most, atOnce }: { most: number; atOnce: number },
): ItemRange[] {
  const size = sizeOf({ items: count, most, atOnce });
  return Array.from({ length: Math.ceil((last - first + 1) / size) }, (_, index) => {
    const from = first + index * size;
    return { spans: [{ first: from, last: Math.min(from + size - 1, last) }], passing: false };
  });
}
