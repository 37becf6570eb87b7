import { randomUUID } from "node:crypto";
import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { markPeople } from "../directory/outbox.ts";
import { closePeriods } from "../directory/periods.ts";
import { refuseOriginsUnit } from "../directory/unit-origin.ts";
import { findUnit, lockTree, moveUnit, type Unit } from "../directory/units.ts";
import { AppError } from "../errors.ts";
import { evaluateConditionRules } from "./condition-rules.ts";
import { closeGrants, openGrants, type GrantRow } from "./grant-rows.ts";
import { reconcileGroupRules } from "./group-rules.ts";
import { lockRules } from "./rule-lock.ts";

/** What stands on a unit: it must go somewhere before the unit goes. */
export interface UnitContent {
  people: number;
  /** Given by hand or on request; those that rules make go with the rules. */
  grants: number;
  rules: number;
  children: number;
  requests: number;
}

const CONTENT = `
  select (select count(distinct person_id)::int from person_units where unit_id = $1 and recorded_to is null and valid_to is null) as people,
    (select count(*)::int from grants where unit_id = $1 and recorded_to is null and source <> 'rule' and (valid_to is null or valid_to > $3)) as grants,
    (select count(*)::int from rules where unit_code = $2::citext and deleted_at is null) as rules,
    (select count(*)::int from units where parent_id = $1 and deleted_at is null) as children,
    (select count(*)::int from access_requests where unit_id = $1 and state = 'pending' and lapses_at > $3) as requests`;

export async function unitContent({ ctx, sql }: Work, unit: Pick<Unit, "id" | "code">): Promise<UnitContent> {
  const { rows } = await sql.query<UnitContent>(CONTENT, [unit.id, unit.code, ctx.now()]);
  return rows[0] ?? { people: 0, grants: 0, rules: 0, children: 0, requests: 0 };
}

/** Deletes a unit that holds nothing. Throws `conflict` naming what it holds, and for one that an origin masters. */
export async function deleteEmptyUnit(work: Work, { unitId, reason }: { unitId: string; reason: string }): Promise<void> {
  const unit = await lockUnit(work, unitId);
  const content = await unitContent(work, unit);
  const held = Object.entries(content).filter(([, count]) => count > 0);
  if (held.length > 0)
    throw new AppError(
      "conflict",
      `${unit.name} holds ${held.map(([what, count]) => `${what}: ${count}`).join(", ")}. Say where they go with \`moveTo\`.`,
      { field: "moveTo" },
    );
  await removeUnit(work, unit);
  await recordEvent(work, { name: "unit.deleted", subjectType: "unit", subjectId: unit.id, reason, data: {} });
}

/** The roles that would be given on the other unit, for asking whether the caller may give them. */
export async function rolesOnUnit({ ctx, sql }: Work, unitId: string): Promise<{ id: string; key: string; name: string }[]> {
  const { rows } = await sql.query<{ id: string; key: string; name: string }>(
    `select distinct r.id, r.key, r.name from roles r where r.id in (
       select role_id from grants where unit_id = $1 and recorded_to is null and (valid_to is null or valid_to > $2)
       union select rules.role_id from rules join units on units.code = rules.unit_code where units.id = $1 and rules.deleted_at is null)`,
    [unitId, ctx.now()],
  );
  return rows;
}

export interface Merge {
  unitId: string;
  into: string;
  reason: string;
}

/**
 * Puts people, grants, what rules name, requests and units below into another unit, and deletes the emptied one; what was so stays as
 * closed periods. Throws `invalid` for a unit below the one that goes; `conflict` for what an origin masters, or puts people into.
 */
export async function mergeUnits(work: Work, { unitId, into, reason }: Merge): Promise<void> {
  const { sql } = work;
  const unit = await lockUnit(work, unitId);
  const target = await findUnit(sql, into);
  if (target.path === unit.path || target.path.startsWith(`${unit.path}.`))
    throw new AppError("invalid", `${target.name} is ${unit.name} itself, or stands below it: move it out first.`, { field: "into" });
  const content = await unitContent(work, unit);
  if (content.rules > 0 && target.code === null)
    throw new AppError("conflict", `${content.rules} rules name ${unit.name} by its code, and ${target.name} has none: give it one.`, {
      field: "into",
    });
  for (const childId of await childrenOf(sql, unit.id)) await moveUnit(work, { unitId: childId, parentId: target.id });
  const people = await movePeople(work, { unit, target });
  await moveGrants(work, { unit, target, reason });
  await sql.query("update access_requests set unit_id = $2, version = version + 1 where unit_id = $1 and state = 'pending'", [
    unit.id,
    target.id,
  ]);
  await moveRules(work, { unit, target });
  // Who had to have a second factor goes on having to, and the other unit's people have to with them: losing it unseen would be worse.
  await sql.query(
    "update factor_requirements set unit_id = $2 where unit_id = $1 and not exists (select from factor_requirements where unit_id = $2)",
    [unit.id, target.id],
  );
  await removeUnit(work, unit);
  const { requests: _, ...counts } = content;
  await recordEvent(work, { name: "unit.merged", subjectType: "unit", subjectId: unit.id, reason, data: { into: target.id, ...counts } });
  await evaluateConditionRules(work, { personIds: people });
  await markPeople(work, { personIds: people });
}

async function lockUnit({ sql }: Work, unitId: string): Promise<Unit> {
  await refuseOriginsUnit(sql, unitId);
  await lockTree(sql);
  await sql.query("select from units where id = $1 for update", [unitId]);
  return findUnit(sql, unitId);
}

async function childrenOf(sql: Sql, unitId: string): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>("select id from units where parent_id = $1 and deleted_at is null order by id", [
    unitId,
  ]);
  return rows.map(({ id }) => id);
}

interface Move {
  unit: Unit;
  target: Unit;
}

async function movePeople({ ctx, sql }: Work, { unit, target }: Move): Promise<string[]> {
  const { rows } = await sql.query<{ id: number; person_id: string; connection: string | null }>(
    `select pu.id, pu.person_id, c.name as connection from person_units pu left join connections c on c.id = pu.connection_id
     where pu.unit_id = $1 and pu.recorded_to is null and pu.valid_to is null order by pu.person_id`,
    [unit.id],
  );
  const foreign = rows.find(({ connection }) => connection !== null);
  if (foreign)
    throw new AppError(
      "conflict",
      `${foreign.connection} puts people into ${unit.name}: change its mapping first, or they would come back.`,
      {
        field: "unit",
      },
    );
  await closePeriods(sql, { table: "person_units", ids: rows.map(({ id }) => id), at: ctx.now() });
  const personIds = [...new Set(rows.map(({ person_id: id }) => id))];
  await sql.query(
    `insert into person_units (person_id, unit_id, valid_from, recorded_from)
     select person_id, $2, greatest($3, ended), greatest($3, ended) from (
       select moved.person_id, (select max(greatest(pu.valid_to, pu.recorded_to)) from person_units pu where pu.person_id = moved.person_id and pu.unit_id = $2) as ended
       from unnest($1::uuid[]) as moved (person_id)
       where not exists (select from person_units pu where pu.person_id = moved.person_id and pu.unit_id = $2 and pu.recorded_to is null and pu.valid_to is null)) each`,
    [personIds, target.id, ctx.now()],
  );
  await sql.query("update people set version = version + 1, modified_at = $2 where id = any($1::uuid[])", [personIds, ctx.now()]);
  return personIds;
}

async function moveGrants(work: Work, { unit, target, reason }: Move & { reason: string }): Promise<void> {
  const { ctx, sql } = work;
  const { rows } = await sql.query<GrantRow>(
    `select grant_id as "grantId", person_id as "personId", group_id as "groupId", role_id as "roleId", source, null as "ruleId", null as "ruleVersion",
       expires_after_seconds as "expiresAfterSeconds", reason, greatest(valid_from, $2) as "validFrom", valid_to as "validTo", $3::uuid as "unitId"
     from grants where unit_id = $1 and recorded_to is null and source <> 'rule' and (valid_to is null or valid_to > $2) order by id`,
    [unit.id, ctx.now(), target.id],
  );
  await closeGrants(work, { grantIds: rows.map(({ grantId }) => grantId), reason: `${unit.name} went into ${target.name}: ${reason}` });
  await openGrants(
    work,
    rows.map((row) => ({ ...row, grantId: randomUUID() })),
  );
}

async function moveRules(work: Work, { unit, target }: Move): Promise<void> {
  const { ctx, sql } = work;
  if (unit.code === null) return;
  await lockRules(sql, "alone");
  const { rows } = await sql.query<{ id: string; name: string; version: number }>(
    "update rules set unit_code = $2, version = version + 1, modified_at = $3 where unit_code = $1::citext and deleted_at is null returning id, name, version",
    [unit.code, target.code, ctx.now()],
  );
  for (const { id, name, version } of rows)
    await recordEvent(work, { name: "rule.updated", subjectType: "rule", subjectId: id, data: { name, version } });
  if (rows.length > 0) await reconcileGroupRules(work, { ruleIds: rows.map(({ id }) => id) });
}

/** Its code is free again. */
async function removeUnit({ ctx, sql }: Work, unit: Unit): Promise<void> {
  await sql.query("delete from factor_requirements where unit_id = $1", [unit.id]);
  const { rows } = await sql.query<{ id: number }>(
    "select id from unit_placements where unit_id = $1 and recorded_to is null and valid_to is null",
    [unit.id],
  );
  await closePeriods(sql, { table: "unit_placements", ids: rows.map(({ id }) => id), at: ctx.now() });
  await sql.query("update units set deleted_at = $2, modified_at = $2, code = null, version = version + 1 where id = $1", [
    unit.id,
    ctx.now(),
  ]);
}
