import { requireMayBringUnder } from "../../access/indirect-giving.ts";
import { findUnit, type Unit } from "../../directory/units.ts";
import { AppError } from "../../errors.ts";
import { refuseMovingFromRequirement } from "./people/leaving-requirement.ts";
import type { ApiCall } from "./route.ts";

/**
 * Asks for everything that a move of a unit needs. Throws `forbidden`, `not_found` for a parent that the caller may not know of,
 * `conflict` where the caller would lose it.
 */
export async function requireMayMove(call: ApiCall, { unit, parentId }: { unit: Unit; parentId: string | null }): Promise<void> {
  await call.require("rollcall.units.edit", parentId === null ? { organisation: true } : { unitId: parentId });
  if (parentId === null && unit.parentId !== null) await refuseLosing(call, unit);
  await requireSteersOrganisation(call, { from: unit, to: { ...unit, parentId } });
  await requireMayPutUnder(call, { unit, parentId });
}

/**
 * Refuses a new unit at the top of the tree to whoever would not see it there: what is everywhere would be out of every administrator's reach,
 * until somebody at the command line takes that unit up. Throws `forbidden`, `conflict`.
 */
export async function requireMayAddAtTop(call: ApiCall, { type }: Pick<Unit, "type">): Promise<void> {
  await call.require("rollcall.units.edit", { organisation: true });
  const { everything } = await call.reach("rollcall.units.edit");
  if (!everything)
    throw new AppError("conflict", "At the top of the tree a new unit would be out of your own reach: say under which one it belongs.", {
      field: "parentId",
    });
  await requireSteersOrganisation(call, { from: { type: "department", parentId: null }, to: { type, parentId: null } });
}

/** At the top only what is given on the unit itself holds there: who moved it, with all whose rights come from above, would not see it again. */
async function refuseLosing(call: ApiCall, unit: Unit): Promise<void> {
  const { everything, paths } = await call.reach("rollcall.units.edit");
  if (everything || paths.includes(unit.path)) return;
  throw new AppError(
    "conflict",
    `At the top of the tree ${unit.name} would be out of your own reach: hold a role with rollcall.units.edit on it first.`,
    { field: "parentId" },
  );
}

/**
 * Refuses to bring a unit, or what it holds, where others' grants give more than the caller may, or away from there; and away from where a
 * second factor is required that the caller may not lift. Throws `forbidden`.
 */
export async function requireMayPutUnder(call: ApiCall, { unit, parentId }: { unit: Unit; parentId: string | null }): Promise<void> {
  const { sql, caller, ctx } = call;
  const under = parentId === null ? null : (await findUnit(sql, parentId)).path;
  await requireMayBringUnder(sql, { caller, path: unit.path, under, at: ctx.now() });
  await refuseMovingFromRequirement(call, { unitId: unit.id, parentId });
}

/** A unit of type organization at the top is from where everything is steered: who makes roles for all decides which it is. */
export async function requireSteersOrganisation(
  call: ApiCall,
  { from, to }: { from: Pick<Unit, "type" | "parentId">; to: Pick<Unit, "type" | "parentId"> },
): Promise<void> {
  const isOrganisation = ({ type, parentId }: Pick<Unit, "type" | "parentId">) => type === "organization" && parentId === null;
  if (isOrganisation(from) !== isOrganisation(to)) await call.require("rollcall.roles.edit", { organisation: true });
}
