import { createHash } from "node:crypto";
import type { Work } from "../db/database.ts";
import { refuseOriginsUnit } from "../directory/unit-origin.ts";
import { AppError } from "../errors.ts";
import type { PreviewChange, SavedChange } from "./preview-change.ts";
import { comparisonOf, type HeldRoleOnUnit, type PreviewPart, type PreviewWorld } from "./preview-difference.ts";
import { differenceTexts } from "./preview-fingerprint.ts";
import { readHoldings, type HeldByRule } from "./preview-held.ts";
import { closureOf, loadHolders, loadRolesOfRule, loadWorld, type RoleContentNow } from "./preview-load.ts";
import { simulateRule } from "./preview-rule.ts";
import { summaryOf, type PreviewSummary } from "./preview-summary.ts";
import { versionBinding } from "./preview-version.ts";
import { parseSavedRule } from "./stored-conditions.ts";
import { findRole, inCircle, refusePredefined } from "./roles.ts";

/** People are compared so many at a time. */
const PAGE = 5000;

export interface ComputedPreview {
  at: Date;
  units: readonly string[];
  parts: readonly PreviewPart[];
  summary: PreviewSummary;
  /** Over the whole difference, and the version of what is changed: two previews of a change with the same hash say the same of the same. */
  hash: Buffer;
}

/** What a change would make of access, before it is compared. */
export interface Simulated {
  /** Whoever may be concerned; nobody else's access differs. */
  people: readonly string[];
  before: PreviewWorld;
  after: PreviewWorld;
  /** Of the people, those who are kept out now and would not be any more: what was given to them holds again. */
  returning?: ReadonlySet<string> | undefined;
  /** Roles of which alone it hangs whether anything differs: no other is read, or passed to `heldAfter`. All when absent. */
  roleIds?: readonly string[] | undefined;
  /** What one who holds this now would hold then. */
  heldAfter(personId: string, held: readonly HeldByRule[]): readonly HeldRoleOnUnit[];
}

/**
 * The blast radius of a change (B3): whose effective access would differ in which permission on which unit at an instant, once the change
 * is saved. Nothing is written and nothing is locked. Throws what saving it would throw of its input.
 */
export async function computePreview(work: Work, { change, at }: { change: SavedChange; at: Date }): Promise<ComputedPreview> {
  const bound = await versionBinding(work.sql, change);
  const compared = await compareAccess(work, { simulated: await simulated(work, { change, at }), at });
  return { ...compared, hash: bound(compared.hash) };
}

/** Compares the access of everybody who may be concerned, some thousands of them at a time. */
export async function compareAccess(
  work: Work,
  { simulated: { people, returning, before, after, roleIds, heldAfter }, at }: { simulated: Simulated; at: Date },
): Promise<ComputedPreview> {
  const comparison = comparisonOf(before, after);
  const parts = new Map<string, { part: PreviewPart; text: string }>();
  const textOf = differenceTexts(comparison.units);
  const hash = createHash("sha256");
  const sorted = [...new Set(people)].sort();
  const holdings = await readHoldings(work.sql, { at, roleIds });
  for (let start = 0; start < sorted.length; start += PAGE) {
    work.ctx.signal.throwIfAborted();
    const some = sorted.slice(start, start + PAGE);
    const held = await holdings.of(some);
    const back = returning ? some.filter((id) => returning.has(id) && !held.has(id)) : [];
    const resting = back.length === 0 ? undefined : await holdings.of(back, { resting: true });
    for (const personId of [...held.keys(), ...(resting?.keys() ?? [])].sort()) {
      const now = held.get(personId) ?? [];
      const difference = comparison.compare(now, heldAfter(personId, resting?.get(personId) ?? now));
      if (!difference) continue;
      const key = JSON.stringify(difference);
      const known = parts.get(key) ?? { part: { people: [], difference }, text: textOf(difference) };
      parts.set(key, known);
      known.part.people.push(personId);
      hash.update(`${personId}${known.text}`);
    }
  }
  const all = [...parts.values()].map(({ part }) => part);
  return { at, units: comparison.units, parts: all, summary: summaryOf(all, comparison.units), hash: hash.digest() };
}

async function simulated(work: Work, { change, at }: { change: SavedChange; at: Date }): Promise<Simulated> {
  const world = await loadWorld(work.sql, { at });
  switch (change.kind) {
    case "rule":
      return ruleSaved(work, { input: change.rule, at, world });
    case "ruleRemoval":
      return ruleRemoved(work, { name: change.name, at, world });
    case "role":
      return roleChanged(work, { change, at, world });
    case "unitMove":
      return unitMoved(work, { change, at, world });
  }
}

async function ruleSaved(work: Work, { input, at, world }: { input: unknown; at: Date; world: PreviewWorld }): Promise<Simulated> {
  const { ruleId, unchanged, gives, to } = await simulateRule(work, { rule: await parseSavedRule(work.sql, input), at });
  const same = { before: world, after: world };
  if (unchanged) return { people: [], ...same, heldAfter: (_, held) => held };
  const holders = ruleId === null ? [] : await loadHolders(work.sql, { by: "rules", ids: [ruleId], at });
  const given = ruleId === null ? [] : await loadRolesOfRule(work.sql, { ruleId, at });
  return {
    people: [...holders, ...to],
    ...same,
    roleIds: sharingWith([...given, ...(gives ? [gives.roleId] : [])], world),
    heldAfter(personId, held) {
      const left = ruleId === null ? held : held.filter((each) => each.ruleId !== ruleId);
      return gives && to.has(personId) ? [...left, gives] : left;
    },
  };
}

async function ruleRemoved(work: Work, { name, at, world }: { name: string; at: Date; world: PreviewWorld }): Promise<Simulated> {
  const { rows } = await work.sql.query<{ id: string }>("select id from rules where name = $1 and deleted_at is null", [name]);
  const ruleId = rows[0]?.id;
  if (ruleId === undefined) throw new AppError("not_found", `There is no rule named ${name}.`, { field: "name" });
  const people = await loadHolders(work.sql, { by: "rules", ids: [ruleId], at });
  const roleIds = sharingWith(await loadRolesOfRule(work.sql, { ruleId, at }), world);
  return { people, before: world, after: world, roleIds, heldAfter: (_, held) => held.filter((each) => each.ruleId !== ruleId) };
}

/** The roles that hold any permission of these roles. */
function sharingWith(roleIds: readonly string[], { roles }: PreviewWorld): string[] {
  return holdingAny(new Set(roleIds.flatMap((id) => [...(roles.get(id) ?? [])])), [roles]);
}

/** The roles that hold any of these permissions in one world or the other. */
function holdingAny(permissions: ReadonlySet<string>, worlds: readonly PreviewWorld["roles"][]): string[] {
  const holding = worlds.flatMap((roles) => [...roles].filter(([, held]) => [...held].some((permission) => permissions.has(permission))));
  return [...new Set(holding.map(([id]) => id))];
}

type RoleChange = Extract<PreviewChange, { kind: "role" }>;

async function roleChanged(
  { sql }: Work,
  { change, at, world }: { change: RoleChange; at: Date; world: PreviewWorld & { content: RoleContentNow } },
): Promise<Simulated> {
  const role = await findRole(sql, change.key);
  refusePredefined(role);
  const current = world.content.get(role.id) ?? { permissions: [], parentIds: [] };
  const parentIds: string[] = [];
  for (const key of change.inherits ?? []) parentIds.push((await findRole(sql, key)).id);
  if (inheritedFrom(parentIds, world.content).has(role.id)) throw inCircle(role);
  await requirePermissions(change.permissions ?? [], sql);
  const next = {
    permissions: change.permissions ?? current.permissions,
    parentIds: change.inherits === undefined ? current.parentIds : parentIds,
  };
  const roles = closureOf(new Map([...world.content, [role.id, next]]));
  const differing = [...roles].filter(([id, permissions]) => !sameSet(permissions, world.roles.get(id) ?? new Set())).map(([id]) => id);
  const people = await loadHolders(sql, { by: "roles", ids: differing, at });
  const heldBy = (id: string, of: PreviewWorld["roles"]) => of.get(id) ?? new Set<string>();
  const changed = new Set(differing.flatMap((id) => symmetricDifference(heldBy(id, world.roles), heldBy(id, roles))));
  return {
    people,
    before: world,
    after: { ...world, roles },
    roleIds: holdingAny(changed, [world.roles, roles]),
    heldAfter: (_, held) => held,
  };
}

/** These roles and all that they inherit. */
function inheritedFrom(roleIds: readonly string[], content: RoleContentNow): ReadonlySet<string> {
  const all = new Set(roleIds);
  // Walked in the order of insertion, what is added on the way included.
  for (const id of all) content.get(id)?.parentIds.forEach((parentId) => all.add(parentId));
  return all;
}

async function requirePermissions(keys: readonly string[], sql: Work["sql"]): Promise<void> {
  const { rows } = await sql.query<{ key: string }>(
    "select key from unnest($1::text[]) key where not exists (select from permissions where permissions.key = key.key) limit 1",
    [keys],
  );
  if (rows[0]) throw new AppError("invalid", `There is no permission ${rows[0].key}.`, { field: "permissions" });
}

type UnitMove = Extract<PreviewChange, { kind: "unitMove" }>;

async function unitMoved({ sql }: Work, { change, at, world }: { change: UnitMove; at: Date; world: PreviewWorld }): Promise<Simulated> {
  const { unitId, parentId } = change;
  for (const id of [unitId, ...(parentId === null ? [] : [parentId])])
    if (!world.units.has(id) || world.deleted.has(id))
      throw new AppError("not_found", `There is no unit ${id}.`, { field: id === unitId ? "unitId" : "parentId" });
  const above = (id: string | null) => {
    const ids: string[] = [];
    for (let each = id; each !== null && !ids.includes(each); each = world.units.get(each) ?? null) ids.push(each);
    return ids;
  };
  const [left, joined] = [above(world.units.get(unitId) ?? null), above(parentId)];
  await refuseOriginsUnit(sql, unitId);
  if (joined.includes(unitId)) throw new AppError("invalid", "A unit can't be moved below itself.", { field: "parentId" });
  const differing = [...left.filter((id) => !joined.includes(id)), ...joined.filter((id) => !left.includes(id))];
  const people = await loadHolders(sql, { by: "units", ids: differing, at });
  return { people, before: world, after: { ...world, units: new Map([...world.units, [unitId, parentId]]) }, heldAfter: (_, held) => held };
}

function symmetricDifference(first: ReadonlySet<string>, second: ReadonlySet<string>): string[] {
  return [...[...first].filter((each) => !second.has(each)), ...[...second].filter((each) => !first.has(each))];
}

function sameSet(first: ReadonlySet<string>, second: ReadonlySet<string>): boolean {
  return first.size === second.size && [...first].every((each) => second.has(each));
}
