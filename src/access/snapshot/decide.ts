import type { Reached } from "./edges.ts";
import type { Tables } from "./tables.ts";

/** A question in numbers. */
export interface Asked {
  person: number;
  /** Its number among the roles. */
  permission: number;
  unit: number;
}

/** Longest chain of accesses that follow each other without a break that is looked along for an end. */
const MOST_IN_A_ROW = 64;

/**
 * Until when the person may do this on this unit without a break, from `at` on, as things stand: the same derivation as
 * effective.ts. `at` itself or less means: not at all. Times are microseconds since 1970; Infinity: nothing ends it by itself.
 */
export function allowedUntil(tables: Tables, { at, ...asked }: Asked & { at: number }): number {
  let end = heldUntil(tables, asked, at);
  // What follows on is asked for only where something ends.
  for (let turn = 0; turn < MOST_IN_A_ROW && end > at && end < Infinity; turn += 1) {
    const next = heldUntil(tables, asked, end);
    if (next <= end) break;
    end = next;
  }
  return end;
}

/** The end of the longest-lasting derivation that holds at `at`; -Infinity when none does. */
function heldUntil(tables: Tables, { person, permission, unit }: Asked, at: number): number {
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

  let most = unitEnd;
  let active = -Infinity;
  for (let index = activeAt; index < grantsAt; index += 2)
    if (value(index) <= at && at < value(index + 1)) active = Math.max(active, value(index + 1));
  if (active <= at) return -Infinity;
  most = Math.min(most, active);

  const above = tables.units.above.from(unit, at);
  let best = -Infinity;
  for (let index = grantsAt; index < spansAt; index += 4) {
    if (value(index + 2) > at || value(index + 3) <= at) continue;
    const given = givenUntil(tables, { role: value(index), unit: value(index + 1), permission, above, at });
    best = Math.max(best, Math.min(given, value(index + 3)));
    if (best >= most) return most;
  }
  for (let index = spansAt; index < end; index += 3) {
    if (value(index + 1) > at || value(index + 2) <= at) continue;
    const through = throughGroups(tables, { group: value(index), since: value(index + 1), permission, above, at });
    best = Math.max(best, Math.min(through, value(index + 2)));
    if (best >= most) return most;
  }
  return Math.min(best, most);
}

interface Given {
  permission: number;
  /** The unit asked about and those above it. */
  above: Reached;
  at: number;
}

/** Until when a role on a unit gives the permission on what stands below it. */
function givenUntil(tables: Tables, { role, unit, permission, above, at }: Given & { role: number; unit: number }): number {
  const covered = above.get(unit);
  if (covered === undefined) return -Infinity;
  const roleEnd = tables.roles.endOf(role);
  if (roleEnd <= at) return -Infinity;
  const content = tables.roles.above.from(role, at).get(permission);
  return content === undefined ? -Infinity : Math.min(covered, roleEnd, content);
}

/** What membership of a group gives since `since`, by grants to it and to the groups that it is nested in. */
function throughGroups(tables: Tables, { group, since, at, ...given }: Given & { group: number; since: number }): number {
  let best = -Infinity;
  for (const [each, nested] of tables.groups.above.from(group, at)) {
    const grants = tables.groups.grantsOf(each);
    if (grants.length === 0) continue;
    const groupEnd = Math.min(nested, tables.groups.endOf(each));
    if (groupEnd <= at) continue;
    for (const { role, unit, from, until, lasts } of grants) {
      if (from > at) continue;
      const grantEnd = Math.min(until, since + lasts, groupEnd);
      if (grantEnd <= at || grantEnd <= best) continue;
      best = Math.max(best, Math.min(grantEnd, givenUntil(tables, { role, unit, ...given, at })));
    }
  }
  return best;
}
