import { personBehind, reaches } from "../../../access/policy.ts";
import { holdingMore } from "../../../access/shutting-out.ts";
import { factorRequirementsOf } from "../../../auth/factors/needed.ts";
import type { Sql } from "../../../db/database.ts";
import { AppError } from "../../../errors.ts";
import type { ApiCall } from "../route.ts";

/** The units by which a second factor is required of somebody. */
export async function requiringUnits(sql: Sql, { personId, at }: { personId: string; at: Date }): Promise<string[]> {
  const requirements = await factorRequirementsOf(sql, { personId, at });
  const { rows } = await sql.query<{ unitId: string }>(
    `select unit_id as "unitId" from factor_requirements where unit_id is not null and id = any($1::uuid[])`,
    [requirements.map(({ id }) => id)],
  );
  return rows.map(({ unitId }) => unitId);
}

/**
 * Refuses that a change of units takes the second factor that is required off oneself, or off who holds more in Rollcall: what they may do
 * does not go with the unit. Who may lift the unit's requirement may do this, too. Asked after the change. Throws `forbidden`.
 * @param before what `requiringUnits` answered before the change
 */
export async function refuseLeavingRequirement(
  call: ApiCall,
  { personId, before }: { personId: string; before: readonly string[] },
): Promise<void> {
  const { sql, ctx, caller } = call;
  if (before.length === 0 || (await factorRequirementsOf(sql, { personId, at: ctx.now() })).length > 0) return;
  const oneself = personBehind(caller) === personId;
  if (!oneself && !(await holdingMore(call, { caller, personIds: [personId], onceIn: true })).has(personId)) return;
  await requireMayLift(call, { unitIds: before, what: "this person", field: "unitIds" });
}

/** Units above another by which a second factor is required, but for those above its new place. */
const LEFT_BEHIND = `select u.id from factor_requirements r join units u on u.id = r.unit_id join units moved on moved.id = $1
  where u.id <> moved.id and moved.path operator(public.<@) u.path
    and not exists (select from units place where place.id = $2 and place.path operator(public.<@) u.path)`;

/** The same of a unit that goes elsewhere with all who are in it. What is required of the unit itself goes along. Throws `forbidden`. */
export async function refuseMovingFromRequirement(
  call: ApiCall,
  { unitId, parentId }: { unitId: string; parentId: string | null },
): Promise<void> {
  const { rows } = await call.sql.query<{ id: string }>(LEFT_BEHIND, [unitId, parentId]);
  await requireMayLift(call, { unitIds: rows.map(({ id }) => id), what: "this one", field: "parentId" });
}

async function requireMayLift(
  call: ApiCall,
  { unitIds, what, field }: { unitIds: readonly string[]; what: string; field: string },
): Promise<void> {
  if (unitIds.length === 0) return;
  const reach = await call.reach("rollcall.authentication.edit");
  for (const unitId of unitIds)
    if (!(await reaches(call.sql, { reach, thing: { unitId } })))
      throw new AppError(
        "forbidden",
        `A second factor is required in a unit that ${what} would leave: who may lift that (rollcall.authentication.edit) has to do it.`,
        { field },
      );
}
