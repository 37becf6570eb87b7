import type { Deciding, UserInput } from "./decide.ts";
import type { Origin } from "./merge.ts";
import type { ItemPayload } from "./records.ts";

/** A mapping that says nothing of units leaves them as they are; where it is another than the one before, which may have named some, it names none. */
export function unitsOf(
  { connectionId, mappingVersion }: Pick<Deciding, "connectionId" | "mappingVersion">,
  { contribution, known }: Pick<UserInput, "contribution" | "known">,
  others: readonly Origin[] = [],
): Pick<ItemPayload, "units"> {
  const named = unitsNamed([{ connectionId, contribution }, ...others], connectionId);
  if (named) return { units: named };
  return known && known.mappingVersion !== mappingVersion ? { units: [] } : {};
}

/** A connection may hold several accounts of one person, of which each names units; undefined when none says anything of them. */
export function unitsNamed(origins: readonly Pick<Origin, "connectionId" | "contribution">[], connectionId: number): string[] | undefined {
  const lists = origins.flatMap((origin) => {
    const units = origin.connectionId === connectionId ? origin.contribution["units"] : undefined;
    return Array.isArray(units) ? [units] : [];
  });
  return lists.length === 0 ? undefined : [...new Set(lists.flat())].filter((unit): unit is string => typeof unit === "string");
}
