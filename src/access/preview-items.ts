import type { Difference, PreviewPart } from "./preview-difference.ts";
import { minus, numberAt, sizeOf, type Spans } from "./preview-spans.ts";

export interface PreviewItem {
  personId: string;
  unitId: string;
  permission: string;
  change: "gained" | "lost";
}

/** What of a difference is to be listed. */
export interface PreviewFilter {
  permission?: string | undefined;
  unitId?: string | undefined;
  personId?: string | undefined;
  change?: "gained" | "lost" | undefined;
}

export interface ItemsOptions extends PreviewFilter {
  /** The units by their numbers. */
  units: readonly string[];
  /** How many of this part have been listed. */
  from: number;
  most: number;
}

/** Person by person, permission by permission, unit by unit: some of what a part stands for, without writing out the rest. Pure. */
export function itemsOf({ people, difference }: PreviewPart, { units, from, most, ...filter }: ItemsOptions): PreviewItem[] {
  const chosen = filter.personId === undefined ? people : people.filter((id) => id === filter.personId);
  const entries = entriesOf(difference, { units, ...filter });
  const each = entries.reduce((sum, { spans }) => sum + sizeOf(spans), 0);
  const items: PreviewItem[] = [];
  const end = Math.min(each * chosen.length, from + most);
  for (let place = from; place < end; place += 1) {
    const personId = chosen[Math.floor(place / each)];
    const found = entryAt(entries, place % each);
    const unitId = found && units[found.number];
    if (personId !== undefined && found && unitId !== undefined)
      items.push({ personId, unitId, permission: found.permission, change: found.change });
  }
  return items;
}

interface Entry {
  permission: string;
  change: "gained" | "lost";
  spans: Spans;
}

function entriesOf(difference: Difference, { units, permission, unitId, change }: PreviewFilter & { units: readonly string[] }): Entry[] {
  const only = unitId === undefined ? undefined : units.indexOf(unitId);
  const within = (spans: Spans) => (only === undefined ? spans : minus(spans, [0, only, only + 1, units.length]));
  return (["gained", "lost"] as const)
    .filter((side) => change === undefined || change === side)
    .flatMap((side) =>
      Object.entries(difference[side]).map(([key, spans]) => ({ permission: key, change: side, spans: only === -1 ? [] : within(spans) })),
    )
    .filter((entry) => (permission === undefined || entry.permission === permission) && entry.spans.length > 0);
}

function entryAt(entries: readonly Entry[], place: number): (Entry & { number: number }) | undefined {
  let left = place;
  for (const entry of entries) {
    const number = numberAt(entry.spans, left);
    if (number !== undefined) return { ...entry, number };
    left -= sizeOf(entry.spans);
  }
  return undefined;
}
