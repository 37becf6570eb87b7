import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { requireMayGive } from "./giving.ts";
import { reachOf, type Caller } from "./policy.ts";
import { findRole } from "./roles.ts";

/**
 * Refuses a rule that gives what one could not give by hand. For a unit that has not arrived yet it takes somebody who may give
 * everything. Throws `forbidden`, `not_found` for an unknown role.
 */
export async function requireMayGiveByRule(
  sql: Sql,
  { caller, rule, at }: { caller: Caller; rule: { role: string; unit: string }; at: Date },
): Promise<void> {
  const role = await findRole(sql, rule.role);
  const { rows } = await sql.query<{ id: string }>("select id from units where code = $1::citext and deleted_at is null", [rule.unit]);
  if (rows[0]) return requireMayGive(sql, { caller, role, unitId: rows[0].id, at });
  const steering = await reachOf(sql, { caller, permission: "rollcall.roles.edit", at });
  if (!steering.organisation)
    throw new AppError("forbidden", `There is no unit ${rule.unit} yet: who may make roles for the organisation can make this rule.`, {
      field: "unit",
    });
}
