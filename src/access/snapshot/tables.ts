import { createReach, type Edge, type Reach } from "./edges.ts";
import { createNumbering, type Numbering } from "./numbering.ts";
import { createPacked, type Packed } from "./packed.ts";
import type { EdgeRow, GroupRows, PersonRow, RoleRows, UnitRows } from "./rows.ts";

export interface GroupGrant {
  role: number;
  unit: number;
  from: number;
  until: number;
  /** Microseconds after joining; Infinity when it does not end per member. */
  lasts: number;
}

/** Everything that access follows from, in numbers: what is believed now, with the periods in which it is so. */
export interface Tables {
  readonly units: Things & { readonly codes: ReadonlyMap<string, number> };
  /** Roles and permissions, numbered together: both are reached from a role. */
  readonly roles: Things & { readonly permissions: ReadonlyMap<string, number> };
  readonly groups: Things & { grantsOf(group: number): readonly GroupGrant[] };
  readonly people: {
    readonly numbering: Numbering;
    readonly names: ReadonlyMap<string, number>;
    readonly packed: Packed;
    isThere(person: number): boolean;
  };
  putUnits(rows: UnitRows): void;
  putRoles(rows: RoleRows): void;
  putGroups(rows: GroupRows): void;
  putPeople(rows: readonly PersonRow[]): void;
}

export interface Things {
  readonly numbering: Numbering;
  /** What is above it, itself included. */
  readonly above: Reach;
  /** Until when it is there; -Infinity for what is not. */
  endOf(thing: number): number;
}

/** A permission's key among the roles, which it can't be confused with: their keys are ids. */
const permissionKey = (permission: string): string => `permission ${permission}`;

const endOf = (until: number | null): number => until ?? Infinity;

export function createTables(): Tables {
  const units = createThings();
  const roles = createThings();
  const groups = createThings();
  const groupGrants: GroupGrant[][] = [];
  const people = {
    numbering: createNumbering(),
    names: new Map<string, number>(),
    nameOf: [] as (string | undefined)[],
    packed: createPacked(),
  };
  const codes = new Map<string, number>();
  const permissions = new Map<string, number>();
  return {
    units: { ...units, codes },
    roles: { ...roles, permissions },
    groups: { ...groups, grantsOf: (group) => groupGrants[group] ?? NONE },
    people: { ...people, isThere: (person) => people.nameOf[person] !== undefined || people.packed.start(person) >= 0 },
    putUnits(rows) {
      units.clear();
      codes.clear();
      for (const { id, code, deleted } of rows.units) {
        const unit = units.put(id, deleted);
        if (code !== null) codes.set(code, unit);
      }
      units.hang(rows.placements);
    },
    putRoles(rows) {
      roles.clear();
      for (const { id, deleted } of rows.roles) roles.put(id, deleted);
      for (const { parent } of rows.permissions) permissions.set(parent, roles.numbering.of(permissionKey(parent)));
      roles.hang(rows.permissions.map((row) => ({ ...row, parent: permissionKey(row.parent) })));
      roles.hang(rows.parents);
    },
    putGroups({ read, groups: there, nestings, grants }) {
      if (read === null) {
        groups.clear();
        groupGrants.length = 0;
      }
      for (const id of read ?? []) {
        groups.drop(id);
        groupGrants[groups.numbering.of(id)] = [];
      }
      for (const { id, deleted } of there) groups.put(id, deleted);
      groups.hang(nestings);
      for (const { group, role, unit, from, until, seconds } of grants)
        (groupGrants[groups.numbering.of(group)] ??= []).push({
          role: roles.numbering.of(role),
          unit: units.numbering.of(unit),
          from,
          until: endOf(until),
          lasts: seconds === null ? Infinity : seconds * 1_000_000,
        });
    },
    putPeople(rows) {
      // Names may have gone from one to another of them: all are taken off before any is put up.
      for (const { id } of rows) {
        const person = people.numbering.of(id);
        const name = people.nameOf[person];
        if (name !== undefined && people.names.get(name) === person) people.names.delete(name);
      }
      for (const row of rows) {
        const person = people.numbering.of(row.id);
        people.nameOf[person] = row.name ?? undefined;
        if (row.name !== null) people.names.set(row.name, person);
        people.packed.put(person, packedOf(row));
      }
    },
  };

  /** Read by heldUntil in decide.ts. Who is never active holds nothing, and takes no room. */
  function packedOf({ active, grants, spans }: PersonRow): number[] {
    if (active === null) return [];
    const values = [active.length, grants?.length ?? 0, spans?.length ?? 0];
    for (const [from, until] of active) values.push(from, endOf(until));
    for (const [role, unit, from, until] of grants ?? [])
      values.push(roles.numbering.of(role), units.numbering.of(unit), from, endOf(until));
    for (const [group, since, until] of spans ?? []) values.push(groups.numbering.of(group), since, endOf(until));
    return values;
  }
}

const NONE: readonly never[] = [];

interface ChangingThings extends Things {
  put(id: string, deleted: number | null): number;
  /** As if it had never been; its number stays its own. */
  drop(id: string): void;
  hang(edges: readonly EdgeRow[]): void;
  clear(): void;
}

function createThings(): ChangingThings {
  const numbering = createNumbering();
  const ends: number[] = [];
  const edges: (Edge[] | undefined)[] = [];
  const above = createReach((node) => edges[node] ?? NONE);
  return {
    numbering,
    above,
    endOf: (thing) => ends[thing] ?? -Infinity,
    put(id, deleted) {
      const thing = numbering.of(id);
      ends[thing] = endOf(deleted);
      return thing;
    },
    drop(id) {
      const thing = numbering.of(id);
      ends[thing] = -Infinity;
      edges[thing] = undefined;
      above.forget();
    },
    hang(rows) {
      for (const { child, parent, from, until } of rows)
        (edges[numbering.of(child)] ??= []).push({ to: numbering.of(parent), from, until: endOf(until) });
      above.forget();
    },
    clear() {
      ends.length = 0;
      edges.length = 0;
      above.forget();
    },
  };
}
