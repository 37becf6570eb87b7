import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { accessOnUnit, grantedUnits, type EffectiveAccess } from "./effective.ts";
import type { OwnPermission } from "./own-permissions.ts";

/** "rollcall last administrator" as a number for pg_advisory_xact_lock: two who remove each other at once would each see the other. */
const ADMINISTRATORS_LOCK = 7_305_011;

/**
 * Held by all that may take the last administrator's rights away, until the end of the transaction. It is taken before every other
 * lock: the order is administrators, rules, people, grants.
 */
export async function lockAdministrators(sql: Sql): Promise<void> {
  await sql.query("select pg_advisory_xact_lock($1)", [ADMINISTRATORS_LOCK]);
}

/** Who may make roles for the whole organisation can give back every other right. */
const STEERING: OwnPermission = "rollcall.roles.edit";

const A_PAGE = 50;

/** Who may steer: `holding` roles with the permission, `given` on an organisation at the top at an instant or, as the expression says, in a time. */
const holders = (valid: string, permission = "$2") => `holding (role_id) as (
    select role_id from role_permissions where permission_key = ${permission} and recorded_to is null and valid_to is null
    union select p.role_id from holding join role_parents p on p.parent_role_id = holding.role_id and p.recorded_to is null and p.valid_to is null
  ), granted as (
    select g.person_id, g.group_id from grants g join holding using (role_id) join units u on u.id = g.unit_id and u.parent_id is null and u.type = 'organization' and u.deleted_at is null
    where g.recorded_to is null and g.valid ${valid}
  ), below (group_id) as (
    select group_id from granted where group_id is not null
    union select n.child_group_id from below join nestings n on n.parent_group_id = below.group_id and n.recorded_to is null and n.valid_to is null
  )`;

const HOLDER = `p.id in (
    select person_id from granted where person_id is not null
    union select m.person_id from below join memberships m using (group_id) where m.recorded_to is null and m.valid_to is null
  )`;

// A page of people who were given a role with the permission, by themselves or through groups, and are active. Whether it holds, grantedUnits says.
const CANDIDATES = `with recursive ${holders("@> $3::timestamptz")}
  select p.id from people p where p.id <> $1 and p.state = 'active' and p.id > $4 and ($5::uuid[] is null or p.id = any($5)) and ${HOLDER}
  order by p.id limit ${A_PAGE}`;

/** Placeholders of a statement, with their types. */
interface TouchedPlaceholders {
  personIds: string;
  permission: string;
  at: string;
  groupId: string;
}

/** SQL of a condition; see touchesAdministrators. */
const touched = ({ personIds, permission, at, groupId }: TouchedPlaceholders): string => `(with recursive ${holders(
  `&& tstzrange(${at}, null)`,
  permission,
)}, touched (group_id) as (
    select ${groupId} where ${groupId} is not null
    union select n.child_group_id from touched join nestings n on n.parent_group_id = touched.group_id and n.recorded_to is null and n.valid_to is null
  )
  select exists (select from people p where p.state = 'active' and ${HOLDER}
    and (p.id = any(${personIds}) or exists (select from touched join memberships m using (group_id) where m.person_id = p.id and m.recorded_to is null and m.valid_to is null))))`;

// Whether one of these people, or of the members of a group, may steer at some time from now on.
const TOUCHED = `select ${touched({ personIds: "$1::uuid[]", permission: "$2", at: "$3::timestamptz", groupId: "$4::uuid" })} as touched`;

/**
 * SQL of a query, for a statement that leaves those of these people alone who may steer at some time from then on: their ids. Each of
 * these few is asked about: to gather all who hold it, the planner makes room for the members of all groups.
 */
export const steeringAmong = ({ personIds, at }: Pick<TouchedPlaceholders, "personIds" | "at">): string => `with recursive ${holders(
  `&& tstzrange(${at}, null)`,
  `'${STEERING}'`,
)}
  select p.id from people p where p.state = 'active' and p.id = any(${personIds}) and (
    p.id in (select person_id from granted where person_id is not null)
    or exists (select from below join memberships m using (group_id) where m.person_id = p.id and m.recorded_to is null and m.valid_to is null))`;

/** An instant after every end: who steers then steers for good, as far as is decided. */
export const FOR_GOOD = new Date("9999-12-31T00:00:00Z");

/**
 * Refuses what would leave the organisation without anybody who can steer it, or with nobody whose rights don't end by themselves: to
 * be called before somebody is suspended, deactivated, deleted, or their access gets an end. Who does not steer it is let through at
 * once. Throws `conflict`.
 * @param passing what is as easily given back, such as a suspension: it is enough that somebody else steers now
 */
export async function refuseLastAdministrator(
  { ctx, sql }: Work,
  { personId, passing = false }: { personId: string; passing?: boolean },
): Promise<void> {
  for (const at of passing ? [ctx.now()] : [ctx.now(), FOR_GOOD]) {
    if (!(await steers(sql, { personId, at }))) continue;
    await lockAdministrators(sql);
    if (!(await isSteered(sql, { at, without: personId })))
      throw new AppError("conflict", `This is the last administrator of the organisation${named(at)}: make another one first.`, {
        field: "person",
      });
  }
}

export interface Touching {
  personIds: readonly string[];
  /** All members of this group, and of those nested in it, are meant, too. */
  groupId?: string | undefined;
}

/** Whether a change of these people, or of this group, touches somebody who may steer the organisation; errs towards yes. Locks nothing. */
export async function touchesAdministrators({ ctx, sql }: Work, { personIds, groupId }: Touching): Promise<boolean> {
  const { rows } = await sql.query<{ touched: boolean }>({
    name: "administrators_touched",
    text: TOUCHED,
    values: [personIds, STEERING, ctx.now(), groupId ?? null],
  });
  return rows[0]?.touched === true;
}

const NOBODY = "00000000-0000-0000-0000-000000000000";

/** Pure: how keeping an administrator is asked for unless told otherwise. */
const refusedChange = (message: string) => new AppError("conflict", message, { field: "grant" });

/**
 * Does what may take somebody's rights away, in the caller's transaction, and refuses it when nobody is left who steers the organisation,
 * or nobody whose rights don't end by themselves. Where nobody did before, it is let through. One at a time, so that two don't take the
 * last two at once. Throws `conflict`, or what `refused` makes of the reason.
 * @param at another instant at which somebody must be left
 * @param passing what is as easily given back, such as a suspension: it is enough that somebody steers now
 */
export async function keepingAnAdministrator<T>(
  { ctx, sql }: Work,
  act: () => Promise<T>,
  { at, passing = false, refused = refusedChange }: { at?: Date; passing?: boolean; refused?: (message: string) => AppError } = {},
): Promise<T> {
  await lockAdministrators(sql);
  const steered: (() => Date)[] = [];
  for (const instant of [() => ctx.now(), ...(at ? [() => at] : []), ...(passing ? [] : [() => FOR_GOOD])])
    if (await isSteered(sql, { at: instant() })) steered.push(instant);
  const result = await act();
  // The clock is asked again: who takes another's place does so later than they were asked for.
  for (const instant of steered) {
    const each = instant();
    if (!(await isSteered(sql, { at: each })))
      throw refused(`This would leave the organisation without an administrator${named(each)}: make another one first.`);
  }
  return result;
}

/** Pure: which administrator is meant. */
function named(at: Date): string {
  return at === FOR_GOOD ? " whose rights don't end" : "";
}

/**
 * As `keepingAnAdministrator`, for changes of people that rules may follow. Where none of them steers the organisation, it is done at
 * once, and waits for nobody.
 */
export async function keepingAdministratorsAmong<T>(work: Work, personIds: readonly string[], act: () => Promise<T>): Promise<T> {
  const { ctx, sql } = work;
  for (const at of [ctx.now(), FOR_GOOD]) if (await isSteered(sql, { at, among: personIds })) return keepingAnAdministrator(work, act);
  return act();
}

interface Steering {
  at: Date;
  without?: string;
  /** Of these people; of all when absent. */
  among?: readonly string[];
}

async function isSteered(sql: Sql, steering: Steering): Promise<boolean> {
  for await (const _ of administrators(sql, steering)) return true;
  return false;
}

/** The people who steer the organisation at that instant. There is no bound: somebody past any number may be the only one. */
export async function* administrators(sql: Sql, { at, without = NOBODY, among }: Steering): AsyncGenerator<string> {
  for (let after = NOBODY; ;) {
    const { rows }: { rows: { id: string }[] } = await sql.query<{ id: string }>(CANDIDATES, [without, STEERING, at, after, among ?? null]);
    for (const { id } of rows) if (await steers(sql, { personId: id, at })) yield id;
    if (rows.length < A_PAGE) return;
    after = rows.at(-1)?.id ?? NOBODY;
  }
}

/** How somebody steers the organisation: each derivation on an organisation at the top of the tree. */
export async function waysToSteer(sql: Sql, { personId, at }: { personId: string; at: Date }): Promise<EffectiveAccess[]> {
  const { rows } = await sql.query<{ id: string }>(
    "select id from units where parent_id is null and type = 'organization' and deleted_at is null",
  );
  const ways: EffectiveAccess[] = [];
  for (const { id } of rows) ways.push(...(await accessOnUnit(sql, { personId, unitId: id, permission: STEERING, at })));
  return ways;
}

async function steers(sql: Sql, { personId, at }: { personId: string; at: Date }): Promise<boolean> {
  return (await grantedUnits(sql, { personId, permission: STEERING, at })).some(({ top }) => top);
}
