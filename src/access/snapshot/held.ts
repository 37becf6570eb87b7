import { personBehind, type Caller } from "../policy.ts";
import type { OwnPermission } from "../own-permissions.ts";
import { allowedUntil, namedUnits } from "./decide.ts";
import type { View } from "./feed.ts";
import type { Tables } from "./tables.ts";

/** Where a caller holds one permission, as this node has it in memory: the same as reachOf (policy.ts) says, of units alone. */
export interface Held {
  /** A service that is narrowed to no unit. */
  everything: boolean;
  /** Whether it is held on any unit at all. */
  anywhere: boolean;
  /** Whether it is held on this unit, by its number. */
  on(unit: number): boolean;
}

const NOWHERE: Held = { everything: false, anywhere: false, on: () => false };
const EVERYWHERE: Held = { everything: true, anywhere: true, on: () => true };

/** Where the caller holds the permission at this instant, by its credential and by what the person behind it holds. */
export function heldBy({ tables }: View, { caller, permission, at }: { caller: Caller; permission: OwnPermission; at: Date }): Held {
  if (caller.permissions !== null && !caller.permissions.includes(permission)) return NOWHERE;
  const instant = at.getTime() * 1000;
  const behind = personBehind(caller);
  const narrowed = caller.unitIds && there(tables, { ids: caller.unitIds, at: instant });
  if (behind === null) {
    if (narrowed === null) return EVERYWHERE;
    return { everything: false, anywhere: narrowed.size > 0, on: (unit) => isBelow(tables, { unit, tops: narrowed, at: instant }) };
  }
  const [person, number] = [tables.people.numbering.find(behind), tables.roles.permissions.get(permission)];
  if (person === undefined || number === undefined) return NOWHERE;
  const given = (unit: number) => allowedUntil(tables, { person, permission: number, unit, at: instant }) > instant;
  const within = (unit: number) => narrowed === null || isBelow(tables, { unit, tops: narrowed, at: instant });
  return {
    everything: false,
    // Of a unit that it was given on and one that the credential is narrowed to, either may stand below the other.
    anywhere: namedUnits(tables, { person, at: instant }).some((unit) => given(unit) && within(unit)) || [...(narrowed ?? [])].some(given),
    on: (unit) => given(unit) && within(unit),
  };
}

function there({ units }: Tables, { ids, at }: { ids: readonly string[]; at: number }): ReadonlySet<number> {
  const found = ids.flatMap((id) => units.numbering.find(id) ?? []);
  return new Set(found.filter((unit) => units.endOf(unit) > at));
}

/** Whether the unit is one of these or stands below one. */
function isBelow({ units }: Tables, { unit, tops, at }: { unit: number; tops: ReadonlySet<number>; at: number }): boolean {
  for (const above of units.above.from(unit, at).ends.keys()) if (tops.has(above)) return true;
  return false;
}
