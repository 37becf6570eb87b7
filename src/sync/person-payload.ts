import { isDeepStrictEqual } from "node:util";
import type { SourceRecord } from "../../connectors/contract.ts";
import { fromProfile, profileColumns, type Contribution } from "../directory/attributes.ts";
import { AppError } from "../errors.ts";
import type { Merged } from "./merge.ts";
import type { ItemPayload, KnownPerson } from "./records.ts";

/** A person as the origins say together, and which attributes that changes. Throws `invalid` without a userName. */
export function personPayload(
  merged: Merged,
  { before, userOf }: { before: KnownPerson | undefined; userOf: { record: SourceRecord } },
): NonNullable<ItemPayload["person"]> {
  const columns = profileColumns(merged.profile);
  if (columns.userName === "")
    throw new AppError("invalid", `${userOf.record.nativeId} has no userName after mapping; a person needs one.`, { field: "userName" });
  const changed = before ? changedKeys(fromProfile(before.attributes), fromProfile(merged.profile)) : [];
  return {
    ...columns,
    attributes: merged.profile,
    custom: merged.custom,
    mastery: merged.mastery,
    manager: merged.manager ?? null,
    changed,
  };
}

/** Most values are texts, for which a deep comparison costs a hundred times as much. */
function isSame(old: Contribution[string], next: Contribution[string]): boolean {
  return old === next || (typeof old === "object" && typeof next === "object" && isDeepStrictEqual(old, next));
}

function changedKeys(old: Contribution, next: Contribution): string[] {
  return [...new Set([...Object.keys(old), ...Object.keys(next)])].filter((key) => !isSame(old[key], next[key])).sort();
}
