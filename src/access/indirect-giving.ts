import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { heldAt, holdingsOf, isMember, notHeld, requireHeldRole, type Held, type Holdings } from "./giving.ts";
import { personBehind, type Caller } from "./policy.ts";
import { rolesOnceIn, type RoleOnceIn } from "./rights-once-in.ts";
import { permissionsOf } from "./roles.ts";

/** Whom, or what, a change makes rules act for. */
export interface Concerned {
  personIds?: readonly string[];
  unitId?: string;
}

export interface RuleWatch {
  caller: Caller;
  at: Date;
  /** Grants by rule that stood before the change. */
  standing: readonly GrantByRule[];
  /** What rules would give those who are away, once they are in, before the change. */
  waiting: readonly RoleOnceIn[];
  /** What the caller held before the change. */
  before: Holdings;
}

interface GrantByRule {
  grantId: string;
  personId: string | null;
  groupId: string | null;
  roleId: string;
  roleName: string;
  unitId: string;
  path: string;
  until: Date | null;
}

const BY_RULE = `
  select distinct g.grant_id as "grantId", g.person_id as "personId", g.group_id as "groupId", r.id as "roleId", r.name as "roleName", u.id as "unitId", u.path::text, g.valid_to as until
  from grants g join roles r on r.id = g.role_id and r.deleted_at is null join units u on u.id = g.unit_id and u.deleted_at is null
  where g.source = 'rule' and g.recorded_to is null and (g.valid_to is null or g.valid_to > $1)
    and (g.person_id = any($2::uuid[]) or g.unit_id = $3)`;

async function byRule(sql: Sql, { at, personIds = [], unitId }: Concerned & { at: Date }): Promise<GrantByRule[]> {
  const { rows } = await sql.query<GrantByRule>(BY_RULE, [at, personIds, unitId ?? null]);
  return rows;
}

/** To be called before a change that rules may follow. */
export async function watchRules(
  sql: Sql,
  { caller, at, personIds = [], unitId }: Concerned & { caller: Caller; at: Date },
): Promise<RuleWatch> {
  const standing = await byRule(sql, { at, personIds, ...(unitId === undefined ? {} : { unitId }) });
  const waiting = await rolesOnceIn(sql, { personIds, at });
  return { caller, at, standing, waiting, before: await holdingsOf(sql, { caller, at }) };
}

/**
 * Refuses what rules have given since, if it is more than whoever made the change may give by way of attributes, units or codes: nothing
 * to themselves that they did not hold, and to others nothing by which Rollcall itself is steered, on the day they come back neither; and
 * what they took from others of it. What applications are used with, a rule gives to whom it fits, whoever says that it fits. To be called
 * in the transaction of the change. Throws `forbidden`.
 */
export async function requireMayGiveByRules(sql: Sql, watch: RuleWatch, concerned: Concerned): Promise<void> {
  const { caller, at, standing, waiting, before } = watch;
  const own = personBehind(caller);
  const permissions = permissionsByRole(sql);
  const now = await byRule(sql, { at, ...concerned });
  const known = new Set(standing.map(({ grantId }) => grantId));
  for (const { path, personId, groupId, roleId, roleName } of now.filter(({ grantId }) => !known.has(grantId))) {
    const oneself = own !== null && (personId === own || (groupId !== null && (await isMember(sql, { personId: own, groupId, at }))));
    if (oneself) refuseNew(`the role ${roleName}`, { permissions: await permissions(roleId), held: heldAt(before, path) });
    await requireSteering({ before, permissions }, { roleId, roleName, path });
  }
  const waited = new Set(waiting.map(onceIn));
  const comes = (await rolesOnceIn(sql, { personIds: concerned.personIds ?? [], at })).filter((each) => !waited.has(onceIn(each)));
  const goes = (await takenFrom(sql, { standing, now })).filter(({ personId }) => personId === null || personId !== own);
  for (const each of [...comes, ...goes]) await requireSteering({ before, permissions }, each);
}

const onceIn = ({ personId, roleId, path }: RoleOnceIn) => `${personId} ${roleId} ${path}`;

/** Many get the same few roles. */
function permissionsByRole(sql: Sql): (roleId: string) => Promise<string[]> {
  const known = new Map<string, Promise<string[]>>();
  return (roleId) => {
    const asked = known.get(roleId) ?? permissionsOf(sql, roleId);
    known.set(roleId, asked);
    return asked;
  };
}

/** Throws `forbidden` where somebody may not give, or take, what of a role steers Rollcall. */
async function requireSteering(
  { before, permissions }: { before: Holdings; permissions: (roleId: string) => Promise<string[]> },
  { roleId, roleName, path }: { roleId: string; roleName: string; path: string },
): Promise<void> {
  const steering = (await permissions(roleId)).filter(steersRollcall);
  requireHeldRole({ name: roleName }, { permissions: steering, held: heldAt(before, path) });
}

/** What stood and ended, and was not given anew. What went with its unit stands on the one that the unit was merged into. */
async function takenFrom(
  sql: Sql,
  { standing, now }: { standing: readonly GrantByRule[]; now: readonly GrantByRule[] },
): Promise<GrantByRule[]> {
  const key = ({ personId, groupId, roleId, unitId }: GrantByRule) => [personId, groupId, roleId, unitId].join(" ");
  // What has just ended is told by its end: the clock went on since it was asked.
  const untilThen = new Map(standing.map(({ grantId, until }) => [grantId, until?.getTime()]));
  const stands = new Set(
    now.filter(({ grantId, until }) => !untilThen.has(grantId) || untilThen.get(grantId) === until?.getTime()).map(key),
  );
  const ended = standing.filter((each) => !stands.has(key(each)));
  if (ended.length === 0) return [];
  const { rows } = await sql.query<{ id: string }>("select id from units where id = any($1::uuid[]) and deleted_at is null", [
    [...new Set(ended.map(({ unitId }) => unitId))],
  ]);
  const there = new Set(rows.map(({ id }) => id));
  return ended.filter(({ unitId }) => there.has(unitId));
}

/**
 * Refuses to bring a unit under others whose grants would cover it, or away from those whose grants did: whoever does so gains nothing there
 * themselves, and brings nobody by whom Rollcall is steered there, or takes it from them, without being able to give that. To be called
 * before the move. Throws `forbidden`.
 */
export async function requireMayBringUnder(
  sql: Sql,
  { caller, path, under, at }: { caller: Caller; path: string; under: string | null; at: Date },
): Promise<void> {
  if (under !== null && personBehind(caller) !== null) {
    // What a token is narrowed to says nothing of what its person gains.
    const all = await holdingsOf(sql, { caller: { ...caller, permissions: null, unitIds: null }, at });
    refuseNew("which you hold there", { permissions: [...heldAt(all, under).permissions], held: heldAt(all, path) });
  }
  const held = heldAt(await holdingsOf(sql, { caller, at }), path);
  const { rows } = await sql.query<{ id: string; name: string }>(
    `select distinct r.id, r.name from grants g join roles r on r.id = g.role_id and r.deleted_at is null join units u on u.id = g.unit_id
     where u.path operator(public.@>) $1::ltree <> coalesce(u.path operator(public.@>) $2::ltree, false) and u.path <> $1::ltree and u.deleted_at is null
       and g.recorded_to is null and (g.valid_to is null or g.valid_to > $3)`,
    [path, under, at],
  );
  for (const role of rows) requireHeldRole(role, { permissions: (await permissionsOf(sql, role.id)).filter(steersRollcall), held });
}

const steersRollcall = (key: string) => key.startsWith("rollcall.");

function refuseNew(way: string, { permissions, held }: { permissions: readonly string[]; held: Held }): void {
  const [first] = notHeld(permissions, { ...held, everything: false });
  if (first === undefined) return;
  throw new AppError(
    "forbidden",
    `By this you would bring yourself ${first} (${way}), which you don't hold here: somebody else has to do it.`,
    {
      field: first,
    },
  );
}
