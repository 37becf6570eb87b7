import type { Reached } from "./edges.ts";
import type { Tables } from "./tables.ts";

/** A question in numbers. */
export interface Asked {
  person: number;
  /** Its number among the roles. */
  permission: number;
  unit: number;
  at: number;
}

/** Longest chain of accesses that follow each other without a break that is looked along for an end. */
const MOST_IN_A_ROW = 64;

/**
 * Until when the person may do this on this unit without a break, from `at` on, as things stand: the same derivation as
 * effective.ts. `at` itself or less means: not at all. Times are microseconds since 1970; Infinity: nothing ends it by itself.
 */
export function allowedUntil(tables: Tables, asked: Asked): number {
  const { at } = asked;
  let end = heldUntil(tables, asked);
  // What follows on is asked for only where something ends.
  for (let turn = 0; turn < MOST_IN_A_ROW && end > at && end < Infinity; turn += 1) {
    const next = heldUntil(tables, { ...asked, at: end });
    if (next <= end) break;
    end = next;
  }
  return end;
}

/** The end of the longest-lasting derivation that holds at `at`; -Infinity when none does. */
function heldUntil(tables: Tables, { person, permission, unit, at }: Asked): number {
  const { packed } = tables.people;
  const start = packed.start(person);
  const unitEnd = tables.units.endOf(unit);
  if (start < 0 || unitEnd <= at) return -Infinity;
  const block = packed.block();
  const value = (index: number): number => block[index] ?? 0;
  const activeAt = start + 3;
  const grantsAt = activeAt + 2 * value(start);
  const spansAt = grantsAt + 4 * value(start + 1);
  const end = spansAt + 3 * value(start + 2);

  let active = -Infinity;
  for (let index = activeAt; index < grantsAt; index += 2)
    if (value(index) <= at && at < value(index + 1)) active = Math.max(active, value(index + 1));
  if (active <= at) return -Infinity;

  const most = Math.min(unitEnd, active);
  const place: Place = { tables, permission, above: tables.units.above.from(unit, at).ends, at };
  let best = -Infinity;
  for (let index = grantsAt; index < spansAt; index += 4) {
    if (value(index + 2) > at || value(index + 3) <= at) continue;
    best = Math.max(best, Math.min(givenUntil(place, { role: value(index), unit: value(index + 1) }), value(index + 3)));
    if (best >= most) return most;
  }
  for (let index = spansAt; index < end; index += 3) {
    if (value(index + 1) > at || value(index + 2) <= at) continue;
    best = Math.max(best, Math.min(throughGroups(place, { group: value(index), since: value(index + 1) }), value(index + 2)));
    if (best >= most) return most;
  }
  return Math.min(best, most);
}

/** The units that the person's grants name at `at`, by themselves and through groups, whatever they give there. */
export function namedUnits(tables: Tables, { person, at }: { person: number; at: number }): number[] {
  const { packed } = tables.people;
  const start = packed.start(person);
  if (start < 0) return [];
  const block = packed.block();
  const value = (index: number): number => block[index] ?? 0;
  const grantsAt = start + 3 + 2 * value(start);
  const spansAt = grantsAt + 4 * value(start + 1);
  const end = spansAt + 3 * value(start + 2);
  const named = new Set<number>();
  for (let index = grantsAt; index < spansAt; index += 4) if (value(index + 2) <= at && at < value(index + 3)) named.add(value(index + 1));
  for (let index = spansAt; index < end; index += 3)
    if (value(index + 1) <= at && at < value(index + 2))
      for (const group of tables.groups.above.from(value(index), at).ends.keys())
        for (const grant of tables.groups.grantsOf(group)) named.add(grant.unit);
  return [...named];
}

interface Place {
  tables: Tables;
  permission: number;
  /** The unit asked about and those above it. */
  above: Reached["ends"];
  at: number;
}

/** Until when a role on a unit gives the permission on what stands below it. */
function givenUntil({ tables, permission, above, at }: Place, { role, unit }: { role: number; unit: number }): number {
  const covered = above.get(unit);
  if (covered === undefined) return -Infinity;
  const roleEnd = tables.roles.endOf(role);
  if (roleEnd <= at) return -Infinity;
  const content = tables.roles.above.from(role, at).ends.get(permission);
  return content === undefined ? -Infinity : Math.min(covered, roleEnd, content);
}

/** What membership of a group gives since `since`, by grants to it and to the groups that it is nested in. */
function throughGroups(place: Place, { group, since }: { group: number; since: number }): number {
  const { tables, at } = place;
  let best = -Infinity;
  const { list } = tables.groups.above.from(group, at);
  for (let index = 0; index < list.length; index += 2) {
    const each = list[index] ?? -1;
    const grants = tables.groups.grantsOf(each);
    if (grants.length === 0) continue;
    const groupEnd = Math.min(list[index + 1] ?? -Infinity, tables.groups.endOf(each));
    if (groupEnd <= at) continue;
    for (const grant of grants) {
      if (grant.from > at) continue;
      const grantEnd = Math.min(grant.until, since + grant.lasts, groupEnd);
      if (grantEnd > at && grantEnd > best) best = Math.max(best, Math.min(grantEnd, givenUntil(place, grant)));
    }
  }
  return best;
}
