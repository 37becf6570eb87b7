import type { Actor } from "../context.ts";
import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { grantedUnits, type GrantedUnit } from "./effective.ts";
import { ON_ONESELF, ON_THE_TEAM, type OwnPermission } from "./own-permissions.ts";

/** Who asks at one of our own doors, and what the credential narrows it to. */
export interface Caller {
  actor: Actor;
  /** Names the credential itself, which an actor's name may not: two services can be called alike. */
  credential: string;
  /** Null for a service, whose rights are those of its token. */
  personId: string | null;
  /** Who answers for a service: it may do at most what that person may at the same instant. Absent where the operator does. */
  responsibleId?: string | undefined;
  /** Permission keys that are left of it; null = all. A service's token always names them, or is null for all there are. */
  permissions: readonly string[] | null;
  /** Units, with all below them, to which it is narrowed; null = not narrowed. */
  unitIds: readonly string[] | null;
  /** When a person who is signed in last proved who they are; absent for tokens, which prove nothing but themselves. */
  provenAt?: Date;
}

/** Whose rights a caller has, or is bounded by; null for a service that the operator answers for. */
export function personBehind({ personId, responsibleId }: Caller): string | null {
  return personId ?? responsibleId ?? null;
}

/** Where a caller holds one permission. */
export interface Reach {
  permission: OwnPermission;
  /** A service that is narrowed to no unit. */
  everything: boolean;
  /** Things that belong to no unit too: connections, roles, people without a unit. */
  organisation: boolean;
  /** ltree paths of units; each covers what is below it. */
  paths: readonly string[];
  /** Whose own things, and whose team, are reached without a grant; null where the permission doesn't come that way. */
  self: string | null;
  teamOf: string | null;
}

/** What a permission is asked for. */
export type Thing = { organisation: true } | { anywhere: true } | { unitId: string } | { personId: string };

export interface Question {
  caller: Caller;
  permission: OwnPermission;
  at: Date;
}

/** Where the caller holds a permission at this instant: asked anew at each request, so that a change acts at once (A6). */
export async function reachOf(sql: Sql, { caller, permission, at }: Question): Promise<Reach> {
  const personId = personBehind(caller);
  const granted = personId === null ? [] : await grantedUnits(sql, { personId, permission, at });
  return reachFrom({ caller, permission, granted, narrowed: await narrowedTo(sql, caller) });
}

/** Where the caller holds each of several permissions. */
export async function reachesOf(
  sql: Sql,
  { caller, permissions, at }: { caller: Caller; permissions: readonly OwnPermission[]; at: Date },
): Promise<Reach[]> {
  const personId = personBehind(caller);
  const granted = personId === null ? [] : await grantedUnits(sql, { personId, at });
  const narrowed = await narrowedTo(sql, caller);
  return permissions.map((permission) =>
    reachFrom({ caller, permission, granted: granted.filter((each) => each.permission === permission), narrowed }),
  );
}

interface Basis {
  caller: Caller;
  permission: OwnPermission;
  granted: readonly GrantedUnit[];
  /** Paths of the units to which the credential is narrowed; null = it is not. */
  narrowed: readonly string[] | null;
}

function reachFrom({ caller, permission, granted, narrowed }: Basis): Reach {
  const nowhere: Reach = { permission, everything: false, organisation: false, paths: [], self: null, teamOf: null };
  if (caller.permissions !== null && !caller.permissions.includes(permission)) return nowhere;
  const { personId } = caller;
  if (personBehind(caller) === null)
    return narrowed === null ? { ...nowhere, everything: true, organisation: true } : { ...nowhere, paths: narrowed };
  const paths = granted.map(({ path }) => path);
  const self = personId !== null && ON_ONESELF.has(permission) ? personId : null;
  if (narrowed !== null) return { ...nowhere, paths: inBoth(paths, narrowed), self };
  const teamOf = personId !== null && ON_THE_TEAM.has(permission) ? personId : null;
  return { permission, everything: false, organisation: granted.some(({ top }) => top), paths, self, teamOf };
}

/** Paths of the units, with all below them, to which the credential is narrowed; null = it is not. */
export async function narrowedTo(sql: Sql, { unitIds }: Caller): Promise<readonly string[] | null> {
  if (unitIds === null) return null;
  const { rows } = await sql.query<{ path: string }>("select path::text from units where id = any($1::uuid[]) and deleted_at is null", [
    unitIds,
  ]);
  return rows.map(({ path }) => path);
}

/** Whether the caller holds the permission anywhere at all, its own things included. */
export function reachesAnything(reach: Reach): boolean {
  return reach.everything || reach.organisation || reach.paths.length > 0 || reach.self !== null;
}

/** Why something is said not to be there, for the log and for tests: the caller may not know that it is. */
export const OUT_OF_REACH = "out of the caller's reach";

/** Refuses what the caller may not do; `reach` is where the caller holds it, if that is known. Throws `forbidden`; `not_found` for what the caller may not even know of. */
export async function requirePermission(
  sql: Sql,
  { thing, reach: known, ...question }: Question & { thing: Thing; reach?: Reach | undefined },
): Promise<Reach> {
  const reach = known ?? (await reachOf(sql, question));
  if (await reaches(sql, { reach, thing })) return reach;
  const seen = VIEWED_BY(thing);
  if (seen === undefined) throw refused(question.permission);
  const visible =
    question.permission !== seen && (await reaches(sql, { reach: await reachOf(sql, { ...question, permission: seen }), thing }));
  if (visible) throw refused(question.permission);
  throw "unitId" in thing
    ? new AppError("not_found", `There is no unit ${thing.unitId}.`, { field: "unit", cause: OUT_OF_REACH })
    : new AppError("not_found", "There is no such person.", { field: "person", cause: OUT_OF_REACH });
}

export async function reaches(sql: Sql, { reach, thing }: { reach: Reach; thing: Thing }): Promise<boolean> {
  if (reach.everything) return true;
  if ("organisation" in thing) return reach.organisation;
  if ("anywhere" in thing) return reachesAnything(reach);
  if ("unitId" in thing) {
    const { rows } = await sql.query({
      name: "unit-in-reach",
      text: "select from units where id = $1 and path operator(public.<@) any($2::ltree[])",
      values: [thing.unitId, reach.paths],
    });
    return rows.length > 0;
  }
  if (reach.self === thing.personId) return true;
  const condition = reachedPeople(reach, { person: "p", from: 2 });
  const { rows } = await sql.query(`select from people p where p.id = $1 and ${condition.text}`, [thing.personId, ...condition.values]);
  return rows.length > 0;
}

/** What is said to whoever may not. */
export function refused(permission: OwnPermission): AppError {
  return new AppError("forbidden", `This needs the permission ${permission} here.`, { field: permission });
}

const VIEWED_BY = (thing: Thing): OwnPermission | undefined =>
  "unitId" in thing ? "rollcall.units.view" : "personId" in thing ? "rollcall.people.view" : undefined;

/** SQL of a condition, with the values of its parameters, which are numbered on from `from`. */
export interface Condition {
  text: string;
  values: unknown[];
}

/**
 * The people in reach: in a unit that is covered, or in none and of the organisation's, oneself, and those who report to one.
 * @param person the alias of `people` in the statement
 */
export function reachedPeople(reach: Reach, { person, from }: { person: string; from: number }): Condition {
  if (reach.everything) return { text: "true", values: [] };
  const [paths, self, teamOf] = [`$${from}::ltree[]`, `$${from + 1}::uuid`, `$${from + 2}::uuid`];
  const open = `from person_units pu join units u on u.id = pu.unit_id where pu.person_id = ${person}.id and pu.recorded_to is null and pu.valid_to is null`;
  const ways = [
    `exists (select ${open} and u.path operator(public.<@) any(${paths}))`,
    ...(reach.organisation ? [`not exists (select ${open})`] : []),
    `${person}.id = ${self}`,
    ...(reach.teamOf === null
      ? [`(false and ${teamOf} is null)`]
      : [
          `${person}.id in (with recursive team (id) as (select id from people where manager_id = ${teamOf} and id <> ${teamOf}
             union select below.id from people below join team on below.manager_id = team.id) select id from team)`,
        ]),
  ];
  return { text: `(${ways.join(" or ")})`, values: [reach.paths, reach.self, reach.teamOf] };
}

/** The units in reach. @param unit the alias of `units` in the statement */
export function reachedUnits(reach: Reach, { unit, from }: { unit: string; from: number }): Condition {
  if (reach.everything) return { text: "true", values: [] };
  return { text: `${unit}.path operator(public.<@) any($${from}::ltree[])`, values: [reach.paths] };
}

/** What two sets of subtrees have in common: of each pair, the one that stands in the other. */
export function inBoth(first: readonly string[], second: readonly string[]): string[] {
  const within = (path: string, others: readonly string[]) => others.some((other) => path === other || path.startsWith(`${other}.`));
  return [...new Set([...first.filter((path) => within(path, second)), ...second.filter((path) => within(path, first))])];
}
