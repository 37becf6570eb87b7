import { requireMayGive } from "../../access/giving.ts";
import { requireMayGiveByRules, watchRules } from "../../access/indirect-giving.ts";
import { keepingAnAdministrator } from "../../access/last-administrator.ts";
import { peopleOfNamed } from "../../access/named-in-conditions.ts";
import { mergeUnits, rolesOnUnit } from "../../access/unit-merging.ts";
import { findUnit, type Unit } from "../../directory/units.ts";
import { requireVersion } from "./entity-tag.ts";
import type { ApiCall } from "./route.ts";
import { requireMayPutUnder } from "./unit-moving.ts";

/** What comes along covers more on the other unit: nobody gives by a merge what they could not give there. */
export async function mergeGiving(call: ApiCall, merge: { unitId: string; into: string; reason: string }): Promise<void> {
  const { sql, caller, ctx } = call;
  await call.require("rollcall.units.edit", { unitId: merge.into });
  await requireMayPutUnder(call, { unit: await findUnit(sql, merge.unitId), parentId: merge.into });
  for (const role of await rolesOnUnit(call, merge.unitId)) await requireMayGive(sql, { caller, role, unitId: merge.into, at: ctx.now() });
  await keepingAnAdministrator(call, async () => {
    await unchangedUnit(call, merge.unitId);
    const personIds = await peopleOfNamed(call, { unitIds: [merge.unitId] });
    const watch = await watchRules(sql, { caller, at: ctx.now(), personIds });
    await mergeUnits(call, merge);
    await requireMayGiveByRules(sql, watch, { personIds });
  });
}

/** Asked again under the lock that changes take one after the other: two of the same version are not both saved. Throws `precondition_failed`. */
export async function unchangedUnit(call: ApiCall, id: string): Promise<Unit> {
  const unit = await findUnit(call.sql, id);
  requireVersion({ ifVersion: call.ifVersion, version: unit.version, what: `The unit ${unit.name}` });
  return unit;
}
