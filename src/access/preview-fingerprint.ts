import { createHash } from "node:crypto";
import type { Difference } from "./preview-difference.ts";
import { pairsOf, type Spans } from "./preview-spans.ts";

/**
 * Texts that are equal for equal differences, with units by their ids: numbers move when a unit is added elsewhere, which makes no
 * difference. What was digested is remembered, because many permissions and people share it.
 */
export function differenceTexts(units: readonly string[]): (difference: Difference) => string {
  const known = new Map<string, string>();
  const digestOf = (spans: Spans): string => {
    const key = spans.join(" ");
    const digest = known.get(key) ?? digested(pairsOf(spans).flatMap(([start, end]) => units.slice(start, end)));
    known.set(key, digest);
    return digest;
  };
  const named = (side: Record<string, Spans>) => Object.entries(side).map(([permission, spans]) => [permission, digestOf(spans)]);
  return ({ gained, lost }) => JSON.stringify([named(gained), named(lost)]);
}

function digested(ids: readonly string[]): string {
  return createHash("sha256").update(ids.toSorted().join(" ")).digest("base64");
}
