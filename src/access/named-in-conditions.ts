import type { Sql, Work } from "../db/database.ts";
import { membersInEffect } from "../directory/groups.ts";
import { markPeople } from "../directory/outbox.ts";
import { updateUnit } from "../directory/units.ts";
import { evaluateConditionRules } from "./condition-rules.ts";
import { lockRules } from "./rule-lock.ts";

/** Units and groups that are called otherwise now, or stand in other groups. */
export interface Named {
  unitIds?: readonly string[];
  groupIds?: readonly string[];
}

/**
 * Whoever conditions of rules may fit otherwise by that: they ask for the units of a person by code, or name, and for groups by name, those
 * around them included; what groups hold makes roles of their members, for which they may ask, too. Nobody where no condition speaks of them. Takes the lock of rules, shared.
 */
export async function peopleOfNamed({ ctx, sql }: Work, { unitIds = [], groupIds = [] }: Named): Promise<string[]> {
  if (unitIds.length + groupIds.length === 0) return [];
  await lockRules(sql, "shared");
  const spoken = await spokenOf(sql);
  const people = new Set(spoken.units ? await peopleIn(sql, unitIds) : []);
  if (spoken.groups) for await (const page of membersInEffect(sql, { groupIds, at: ctx.now() })) page.forEach((id) => people.add(id));
  return [...people];
}

/** Changes a unit's name, code or type; conditions of rules and targets follow what it is called then. Throws as `updateUnit` does. */
export async function changeUnit(work: Work, change: Parameters<typeof updateUnit>[1]): Promise<void> {
  const { unitId } = change;
  const called = async () => (await work.sql.query<{ as: string }>(CALLED, [unitId])).rows[0]?.as;
  const before = await called();
  await updateUnit(work, change);
  if ((await called()) === before) return;
  await evaluateConditionRules(work, { personIds: await peopleOfNamed(work, { unitIds: [unitId] }) });
  await markPeople(work, { personIds: await peopleIn(work.sql, [unitId]) });
}

/** What conditions and mappings know a unit as. */
const CALLED = `select coalesce(code, name)::text as "as" from units where id = $1`;

async function spokenOf(sql: Sql): Promise<{ units: boolean; groups: boolean }> {
  const { rows } = await sql.query<{ units: boolean; groups: boolean }>(
    `select coalesce(bool_or(condition ~ '\\munits\\M'), false) as units, coalesce(bool_or(condition ~ '\\m(groups|roles)\\M'), false) as groups
     from rules where condition is not null and enabled and deleted_at is null`,
  );
  return rows[0] ?? { units: false, groups: false };
}

async function peopleIn(sql: Sql, unitIds: readonly string[]): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    "select distinct person_id as id from person_units where unit_id = any($1::uuid[]) and recorded_to is null and valid_to is null",
    [unitIds],
  );
  return rows.map(({ id }) => id);
}
