import { minus, spansOf, union, type Spans } from "./preview-spans.ts";

/** What access is computed from besides who was given what. */
export interface PreviewWorld {
  /** Each unit with the one above it. */
  units: ReadonlyMap<string, string | null>;
  /** Units that were deleted: nobody may do anything there, but what stands below them is covered still. */
  deleted: ReadonlySet<string>;
  /** What each role holds, inherited permissions included. */
  roles: ReadonlyMap<string, ReadonlySet<string>>;
}

/** A role on a unit, whichever way the person came to it. */
export interface HeldRoleOnUnit {
  roleId: string;
  unitId: string;
}

/** Units by their numbers, for each permission that differs. */
export interface Difference {
  gained: Record<string, Spans>;
  lost: Record<string, Spans>;
}

/** People for whom the difference is the same. */
export interface PreviewPart {
  people: string[];
  difference: Difference;
}

export interface Comparison {
  /** The units by their numbers. */
  units: readonly string[];
  /** What differs for somebody who holds the first before and the second after; undefined when nothing does. */
  compare(before: readonly HeldRoleOnUnit[], after: readonly HeldRoleOnUnit[]): Difference | undefined;
}

/**
 * Compares effective access before and after a change, person by person. Units are numbered so that what stands below one is a stretch
 * of numbers: a role on a unit is a few stretches for each permission, however large the tree is. Pure, and remembers what it has
 * computed: many people hold the same.
 */
export function comparisonOf(before: PreviewWorld, after: PreviewWorld): Comparison {
  const units = numbered(after.units).filter((id) => !(before.deleted.has(id) && after.deleted.has(id)));
  const numbers = new Map(units.map((id, number) => [id, number]));
  const coveredBefore = coverageOf(before, numbers);
  const same = before.units === after.units && before.deleted === after.deleted;
  const coveredAfter = same ? coveredBefore : coverageOf(after, numbers);
  const known = new Map<string, Difference | undefined>();
  const keyOf = createKeys();
  return {
    units,
    compare(heldBefore, heldAfter) {
      const key = `${keyOf(heldBefore)}|${keyOf(heldAfter)}`;
      if (!known.has(key)) {
        const first = permissionsOn(heldBefore, { world: before, covered: coveredBefore });
        const second = permissionsOn(heldAfter, { world: after, covered: coveredAfter });
        const [gained, lost] = [whatIsMore(second, first), whatIsMore(first, second)];
        known.set(key, Object.keys(gained).length + Object.keys(lost).length === 0 ? undefined : { gained, lost });
      }
      return known.get(key);
    },
  };
}

/** Texts that are equal for equal lists, whatever their order. Most of what is held comes again and again as the same object. */
function createKeys(): (held: readonly HeldRoleOnUnit[]) => string {
  const numbers = new Map<string, number>();
  const remembered = new WeakMap<HeldRoleOnUnit, number>();
  const numberOf = (each: HeldRoleOnUnit): number => {
    const known = remembered.get(each);
    if (known !== undefined) return known;
    const key = `${each.roleId} ${each.unitId}`;
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    remembered.set(each, number);
    return number;
  };
  return (held) => Uint32Array.from(held, numberOf).sort().join(",");
}

type ByPermission = ReadonlyMap<string, Spans>;

function permissionsOn(
  held: readonly HeldRoleOnUnit[],
  { world, covered }: { world: PreviewWorld; covered: (unitId: string) => Spans },
): ByPermission {
  const parts = new Map<string, Spans[]>();
  for (const { roleId, unitId } of held) {
    const spans = covered(unitId);
    for (const permission of world.roles.get(roleId) ?? []) {
      const known = parts.get(permission);
      if (known) known.push(spans);
      else parts.set(permission, [spans]);
    }
  }
  return new Map([...parts].map(([permission, many]) => [permission, union(many)]));
}

function whatIsMore(first: ByPermission, second: ByPermission): Record<string, Spans> {
  const more: Record<string, Spans> = {};
  for (const permission of [...first.keys()].sort()) {
    const [wide, narrow] = [first.get(permission) ?? [], second.get(permission) ?? []];
    const left = wide === narrow ? [] : minus(wide, narrow);
    if (left.length > 0) more[permission] = left;
  }
  return more;
}

/** Every unit after the one above it, with all that stands below before the next beside it. */
function numbered(parents: ReadonlyMap<string, string | null>): string[] {
  const children = childrenOf(parents);
  const order: string[] = [];
  const waiting = [...(children.get(null) ?? [])].reverse();
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    order.push(id);
    waiting.push(...[...(children.get(id) ?? [])].reverse());
  }
  return order;
}

function coverageOf({ units, deleted }: PreviewWorld, numbers: ReadonlyMap<string, number>): (unitId: string) => Spans {
  const children = childrenOf(units);
  const known = new Map<string, Spans>();
  return (unitId) => {
    const remembered = known.get(unitId);
    if (remembered) return remembered;
    const below = [unitId];
    // Walked in the order of insertion, what is added on the way included.
    for (const id of below) below.push(...(children.get(id) ?? []));
    const spans = spansOf(below.flatMap((id) => (deleted.has(id) ? [] : (numbers.get(id) ?? []))).sort((a, b) => a - b));
    known.set(unitId, spans);
    return spans;
  };
}

/** A unit whose parent is not there stands at the top. */
function childrenOf(parents: ReadonlyMap<string, string | null>): Map<string | null, string[]> {
  const children = new Map<string | null, string[]>();
  for (const [id, parent] of [...parents].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const above = parent !== null && parents.has(parent) ? parent : null;
    const known = children.get(above);
    if (known) known.push(id);
    else children.set(above, [id]);
  }
  return children;
}
