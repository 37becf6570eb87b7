import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { heldAt, holdingsOf, isMember, notHeld, requireHeldRole, type Held, type Holdings } from "./giving.ts";
import { personBehind, type Caller } from "./policy.ts";
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
  standing: readonly string[];
  /** What the caller held before the change. */
  before: Holdings;
}

const BY_RULE = `
  from grants g where g.source = 'rule' and g.recorded_to is null and (g.valid_to is null or g.valid_to > $1)
    and (g.person_id = any($2::uuid[]) or g.unit_id = $3)`;

/** To be called before a change that rules may follow. */
export async function watchRules(
  sql: Sql,
  { caller, at, personIds = [], unitId }: Concerned & { caller: Caller; at: Date },
): Promise<RuleWatch> {
  const { rows } = await sql.query<{ id: string }>(`select g.grant_id as id ${BY_RULE}`, [at, personIds, unitId ?? null]);
  return { caller, at, standing: rows.map(({ id }) => id), before: await holdingsOf(sql, { caller, at }) };
}

/**
 * Refuses what rules have given since, if it is more than whoever made the change may give by way of attributes, units or codes: nothing
 * to themselves that they did not hold, and to others nothing by which Rollcall itself is steered. What applications are used with, a
 * rule gives to whom it fits, whoever says that it fits. To be called in the transaction of the change. Throws `forbidden`.
 */
export async function requireMayGiveByRules(sql: Sql, watch: RuleWatch, { personIds = [], unitId }: Concerned): Promise<void> {
  const { caller, at, standing, before } = watch;
  const { rows } = await sql.query<{ id: string; name: string; path: string; personId: string | null; groupId: string | null }>(
    `select distinct r.id, r.name, u.path::text, g.person_id as "personId", g.group_id as "groupId"
     from grants g join roles r on r.id = g.role_id and r.deleted_at is null join units u on u.id = g.unit_id
     where g.id in (select g.id ${BY_RULE} and g.grant_id <> all($4::uuid[]))`,
    [at, personIds, unitId ?? null, standing],
  );
  for (const { path, personId, groupId, ...role } of rows) {
    const held = heldAt(before, path);
    const permissions = await permissionsOf(sql, role.id);
    const own = personBehind(caller);
    const oneself = own !== null && (personId === own || (groupId !== null && (await isMember(sql, { personId: own, groupId, at }))));
    if (oneself) refuseNew(`the role ${role.name}`, { permissions, held });
    requireHeldRole(role, { permissions: permissions.filter(steersRollcall), held });
  }
}

/**
 * Refuses to bring a unit under others whose grants would cover it: whoever does so gains nothing there themselves, and brings nobody
 * by whom Rollcall is steered there without being able to give that. To be called before the move. Throws `forbidden`.
 */
export async function requireMayBringUnder(
  sql: Sql,
  { caller, path, under, at }: { caller: Caller; path: string; under: string; at: Date },
): Promise<void> {
  if (personBehind(caller) !== null) {
    // What a token is narrowed to says nothing of what its person gains.
    const all = await holdingsOf(sql, { caller: { ...caller, permissions: null, unitIds: null }, at });
    refuseNew("which you hold there", { permissions: [...heldAt(all, under).permissions], held: heldAt(all, path) });
  }
  const held = heldAt(await holdingsOf(sql, { caller, at }), path);
  const { rows } = await sql.query<{ id: string; name: string }>(
    `select distinct r.id, r.name from grants g join roles r on r.id = g.role_id and r.deleted_at is null join units u on u.id = g.unit_id
     where u.path operator(public.@>) $1::ltree and not u.path operator(public.@>) $2::ltree and u.deleted_at is null
       and g.recorded_to is null and (g.valid_to is null or g.valid_to > $3)`,
    [under, path, at],
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
