import type { PreviewPart } from "./preview-difference.ts";
import { pairsOf, sizeOf } from "./preview-spans.ts";

export interface Counted {
  /** How many (person, unit, permission) there are. */
  gained: number;
  lost: number;
}

export interface PreviewSummary extends Counted {
  /** Whose access differs at all. */
  people: number;
  peopleWhoGain: number;
  peopleWhoLose: number;
  byPermission: (Counted & { permission: string })[];
  /** Only units where something differs; the most concerned first, at most so many. */
  byUnit: (Counted & { unitId: string })[];
  /** How many units are concerned. */
  units: number;
}

const MOST_UNITS = 200;
const SIDES = ["gained", "lost"] as const;

/** Counts a difference without writing out each person, unit and permission: there may be hundreds of millions. Pure. */
export function summaryOf(parts: readonly PreviewPart[], units: readonly string[]): PreviewSummary {
  const permissions = new Map<string, Counted>();
  // Changes from one unit to the next, summed up at the end.
  const steps = { gained: new Float64Array(units.length + 1), lost: new Float64Array(units.length + 1) };
  for (const { people, difference } of parts)
    for (const side of SIDES)
      for (const [permission, spans] of Object.entries(difference[side])) {
        const counted = permissions.get(permission) ?? { gained: 0, lost: 0 };
        counted[side] += people.length * sizeOf(spans);
        permissions.set(permission, counted);
        for (const [start, end] of pairsOf(spans)) {
          steps[side][start] = (steps[side][start] ?? 0) + people.length;
          steps[side][end] = (steps[side][end] ?? 0) - people.length;
        }
      }
  const byUnit = perUnit(steps, units);
  const byPermission = [...permissions]
    .map(([permission, counted]) => ({ permission, ...counted }))
    .sort((a, b) => (a.permission < b.permission ? -1 : 1));
  const peopleWith = (side: (typeof SIDES)[number]) =>
    parts.filter(({ difference }) => Object.keys(difference[side]).length > 0).reduce((sum, { people }) => sum + people.length, 0);
  return {
    people: parts.reduce((sum, { people }) => sum + people.length, 0),
    peopleWhoGain: peopleWith("gained"),
    peopleWhoLose: peopleWith("lost"),
    gained: byPermission.reduce((sum, { gained }) => sum + gained, 0),
    lost: byPermission.reduce((sum, { lost }) => sum + lost, 0),
    byPermission,
    byUnit: byUnit.slice(0, MOST_UNITS),
    units: byUnit.length,
  };
}

function perUnit(steps: Record<(typeof SIDES)[number], Float64Array>, units: readonly string[]): (Counted & { unitId: string })[] {
  const running = { gained: 0, lost: 0 };
  const counted = units.map((unitId, number) => {
    for (const side of SIDES) running[side] += steps[side][number] ?? 0;
    return { unitId, ...running };
  });
  const differing = counted.filter(({ gained, lost }) => gained + lost > 0);
  return differing.sort((a, b) => b.gained + b.lost - a.gained - a.lost || (a.unitId < b.unitId ? -1 : 1));
}
