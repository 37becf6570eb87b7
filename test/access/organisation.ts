import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { giveGrant, revokeGrant } from "../../src/access/grants.ts";
import { createRole, updateRole } from "../../src/access/roles.ts";
import type { Work } from "../../src/db/database.ts";
import { liftBlocks, raiseBlocks } from "../../src/directory/blocks.ts";
import { closePeriods, type PeriodTable } from "../../src/directory/periods.ts";
import { createUnit, moveUnit } from "../../src/directory/units.ts";
import { AppError } from "../../src/errors.ts";
import { HOUR, insertGroup, insertNesting, insertPerson } from "../directory/fixtures.ts";

/** A small made-up organisation, in the database and as plain data side by side. */
export const PEOPLE = 3;
export const GROUPS = 4;
export const UNITS = 5;
export const ROLES = 3;
export const PERMISSIONS = ["test.door.view", "test.door.edit", "test.room.view"];

type Span = { since: number; until: number | null };
interface ModelGrant {
  id: string;
  person: number | null;
  group: number | null;
  role: number;
  unit: number;
  from: number;
  until: number | null;
  seconds: number | null;
}

/** Everything as it is at one instant, in plain data. */
export interface Model {
  active: boolean[];
  members: Record<string, Span>;
  nestings: Record<string, Span>;
  parents: (number | null)[];
  permissions: string[][];
  inherits: number[][];
  grants: ModelGrant[];
}

export type Step = { hours: number } & (
  | { do: "member"; a: number; b: number; on: boolean }
  | { do: "nest"; a: number; b: number; on: boolean }
  | { do: "move"; a: number; b: number | null }
  | {
      do: "give";
      person: number | null;
      group: number;
      role: number;
      unit: number;
      after: number;
      lasts: number | null;
      seconds: number | null;
    }
  | { do: "revoke"; a: number }
  | { do: "block"; a: number; on: boolean }
  | { do: "role"; a: number; permissions: string[]; inherits: number[] }
);

const hours = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ hours, do: fc.constant("member" as const), a: fc.nat(PEOPLE - 1), b: fc.nat(GROUPS - 1), on: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ hours, do: fc.constant("nest" as const), a: fc.nat(GROUPS - 1), b: fc.nat(GROUPS - 1), on: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ hours, do: fc.constant("move" as const), a: fc.nat(UNITS - 1), b: fc.option(fc.nat(UNITS - 1)) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      hours,
      do: fc.constant("give" as const),
      person: fc.option(fc.nat(PEOPLE - 1)),
      group: fc.nat(GROUPS - 1),
      role: fc.nat(ROLES - 1),
      unit: fc.nat(UNITS - 1),
      after: fc.nat(2),
      lasts: fc.option(fc.integer({ min: 1, max: 6 })),
      seconds: fc.option(fc.integer({ min: 1, max: 5 }).map((count) => count * 3600)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ hours, do: fc.constant("revoke" as const), a: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ hours, do: fc.constant("block" as const), a: fc.nat(PEOPLE - 1), on: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      hours,
      do: fc.constant("role" as const),
      a: fc.nat(ROLES - 1),
      permissions: fc.subarray(PERMISSIONS),
      inherits: fc.subarray([...Array(ROLES).keys()]),
    }),
  },
);
/** Begins with a chain of groups that gives somebody access for a time, so that every walk has something to lose. */
const CHAIN: Step[] = [
  { hours: 0, do: "member", a: 0, b: 0, on: true },
  { hours: 1, do: "nest", a: 0, b: 1, on: true },
  { hours: 0, do: "nest", a: 1, b: 2, on: true },
  { hours: 0, do: "give", person: null, group: 2, role: 0, unit: 1, after: 0, lasts: null, seconds: 4 * 3600 },
  { hours: 0, do: "give", person: null, group: 1, role: 1, unit: 0, after: 1, lasts: 3, seconds: null },
];
export const steps = fc.array(step, { minLength: 2, maxLength: 20 }).map((random) => [...CHAIN, ...random]);

export interface Organisation {
  people: string[];
  groups: string[];
  units: string[];
  roles: string[];
  model: Model;
}

/** People in no group, a tree of units (0 over 1 and 2, 1 over 3 and 4), and a role for each permission. */
export async function found(work: Work): Promise<Organisation> {
  const { sql, ctx } = work;
  const at = ctx.now();
  await sql.query(
    "insert into permissions (key, module, resource, action) select key, 'test', 'door', 'view' from unnest($1::text[]) key on conflict do nothing",
    [PERMISSIONS],
  );
  const organisation: Organisation = {
    people: [],
    groups: [],
    units: [],
    roles: [],
    model: {
      active: Array(PEOPLE).fill(true),
      members: {},
      nestings: {},
      parents: [null, 0, 0, 1, 1],
      permissions: PERMISSIONS.map((key) => [key]),
      inherits: Array.from({ length: ROLES }, () => []),
      grants: [],
    },
  };
  for (let index = 0; index < PEOPLE; index += 1) organisation.people.push(await insertPerson(sql, { at }));
  for (let index = 0; index < GROUPS; index += 1) organisation.groups.push(await insertGroup(sql, { at }));
  for (const parent of organisation.model.parents)
    organisation.units.push(
      await createUnit(work, { name: "Unit", parentId: parent === null ? null : (organisation.units[parent] ?? null) }),
    );
  for (const permissions of organisation.model.permissions) {
    const key = `r-${randomUUID()}`;
    await createRole(work, { key, name: key, permissions });
    organisation.roles.push(key);
  }
  return organisation;
}

/** Takes one step in the database and in the model; what is refused changes neither. */
export async function take(work: Work, organisation: Organisation, action: Step): Promise<void> {
  const { sql, ctx } = work;
  const now = ctx.now().getTime();
  const { people, groups, units, roles, model } = organisation;
  const id = (ids: string[], index: number) => ids[index] ?? "";
  if (action.do === "member") {
    const ids = [id(groups, action.b), id(people, action.a)];
    if (action.on)
      await sql.query(
        "insert into memberships (group_id, person_id, valid_from, recorded_from) values ($1, $2, $3, $3) on conflict do nothing",
        [...ids, ctx.now()],
      );
    else await close(work, "memberships", "group_id = $1 and person_id = $2", ids);
    toggle(model.members, `${action.a} ${action.b}`, action.on, now);
  } else if (action.do === "nest") {
    if (action.a === action.b) return;
    const ids = [id(groups, action.b), id(groups, action.a)];
    if (action.on && !isOpen(model.nestings[`${action.a} ${action.b}`]))
      await insertNesting(sql, { parentId: id(groups, action.b), childId: id(groups, action.a), from: ctx.now() });
    else if (!action.on) await close(work, "nestings", "parent_group_id = $1 and child_group_id = $2", ids);
    toggle(model.nestings, `${action.a} ${action.b}`, action.on, now);
  } else if (action.do === "move") {
    const moved = await orRefused(
      moveUnit(work, { unitId: id(units, action.a), parentId: action.b === null ? null : id(units, action.b) }),
    );
    if (moved) model.parents[action.a] = action.b;
  } else if (action.do === "give") {
    const from = new Date(now + action.after * HOUR);
    const until = action.lasts === null ? undefined : new Date(from.getTime() + action.lasts * HOUR);
    const holder = action.person === null ? { groupId: id(groups, action.group) } : { personId: id(people, action.person) };
    let grantId = "";
    const given = await orRefused(
      giveGrant(work, {
        ...holder,
        role: id(roles, action.role),
        unit: id(units, action.unit),
        from,
        until,
        expiresAfterSeconds: action.seconds ?? undefined,
      }).then((made) => (grantId = made)),
    );
    if (!given) return;
    const own = action.person !== null && action.seconds !== null ? from.getTime() + action.seconds * 1000 : Infinity;
    const end = Math.min(own, until?.getTime() ?? Infinity);
    model.grants.push({
      id: grantId,
      person: action.person,
      group: action.person === null ? action.group : null,
      role: action.role,
      unit: action.unit,
      from: from.getTime(),
      until: end === Infinity ? null : end,
      seconds: action.person === null ? action.seconds : null,
    });
  } else if (action.do === "revoke") {
    const grant = model.grants[action.a];
    if (!grant || !(await orRefused(revokeGrant(work, { grantId: grant.id, reason: "test" })))) return;
    grant.until = Math.min(grant.until ?? Infinity, now);
  } else if (action.do === "block") {
    const key = { personId: id(people, action.a), owner: "admin" as const };
    if (action.on) await raiseBlocks(work, [{ ...key, effect: "deactivated", reason: "test" }]);
    else await liftBlocks(work, [key]);
    if (action.on && model.active[action.a])
      for (const grant of model.grants) if (grant.person === action.a) grant.until = Math.min(grant.until ?? Infinity, now);
    model.active[action.a] = !action.on;
  } else {
    const changed = await orRefused(
      updateRole(work, {
        key: id(roles, action.a),
        permissions: action.permissions,
        inherits: action.inherits.map((parent) => id(roles, parent)),
      }),
    );
    if (!changed) return;
    model.permissions[action.a] = action.permissions;
    model.inherits[action.a] = action.inherits;
  }
}

async function close(work: Work, table: PeriodTable, where: string, ids: string[]): Promise<void> {
  const { rows } = await work.sql.query<{ id: number }>(
    `select id from ${table} where ${where} and recorded_to is null and valid_to is null`,
    ids,
  );
  await closePeriods(work.sql, { table, ids: rows.map((row) => row.id), at: work.ctx.now() });
}

async function orRefused(change: Promise<unknown>): Promise<boolean> {
  try {
    await change;
    return true;
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}

const isOpen = (span: Span | undefined) => span !== undefined && span.until === null;

/** What ends and begins again at one instant has never ended. */
function toggle(spans: Record<string, Span>, key: string, on: boolean, now: number): void {
  const span = spans[key];
  if (on && !isOpen(span)) spans[key] = { since: span && span.until === now ? span.since : now, until: null };
  if (!on && span && span.until === null) spans[key] = { since: span.since, until: now };
}

/** Every instant at which somebody's access may change by itself. */
export function boundaries(model: Model): number[] {
  const starts = [...Object.values(model.members), ...Object.values(model.nestings)].map((span) => span.since);
  const ends = model.grants.flatMap((grant) => [
    grant.from,
    grant.until ?? grant.from,
    ...(grant.seconds === null ? [] : starts.map((since) => since + (grant.seconds ?? 0) * 1000)),
  ]);
  return [...new Set(ends)].sort((a, b) => a - b);
}

/** The naive answer: `unit permission` for all that the person holds at `at`, in the words of the requirements. */
export function heldBy(model: Model, person: number, at: number): Set<string> {
  const held = new Set<string>();
  if (!model.active[person]) return held;
  for (const grant of model.grants) {
    if (at < grant.from || (grant.until !== null && at >= grant.until)) continue;
    if (grant.person !== null && grant.person !== person) continue;
    if (
      grant.group !== null &&
      !sinces(model, person, grant.group).some((since) => grant.seconds === null || at < since + grant.seconds * 1000)
    )
      continue;
    for (const unit of below(model, grant.unit))
      for (const permission of permissionsOf(model, grant.role)) held.add(`${unit} ${permission}`);
  }
  return held;
}

/** Since when the person is a member of something that leads to the group. */
function sinces(model: Model, person: number, group: number): number[] {
  const leads = (at: number, seen: number[]): boolean =>
    at === group ||
    Object.entries(model.nestings).some(([key, span]) => {
      const [child = -1, parent = -1] = key.split(" ").map(Number);
      return child === at && isOpen(span) && !seen.includes(parent) && leads(parent, [...seen, parent]);
    });
  return [...Array(GROUPS).keys()].flatMap((start) => {
    const span = model.members[`${person} ${start}`];
    return span && isOpen(span) && leads(start, [start]) ? [span.since] : [];
  });
}

export function below(model: Model, unit: number): number[] {
  return [unit, ...model.parents.flatMap((parent, child) => (parent === unit ? below(model, child) : []))];
}

function permissionsOf(model: Model, role: number): string[] {
  return [...(model.permissions[role] ?? []), ...(model.inherits[role] ?? []).flatMap((parent) => permissionsOf(model, parent))];
}
