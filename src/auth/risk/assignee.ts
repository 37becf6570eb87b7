import { reachOf, reaches } from "../../access/policy.ts";
import type { Sql } from "../../db/database.ts";
import { AppError } from "../../errors.ts";

/** Refuses somebody who could not see the incident, or whom it is about. Throws `invalid`. */
export async function requireAssignee(
  sql: Sql,
  { personId, incident, at }: { personId: string; incident: { personId: string | null }; at: Date },
): Promise<void> {
  const caller = { actor: `person:${personId}` as const, credential: "assignee", personId, permissions: null, unitIds: null };
  const reach = await reachOf(sql, { caller, permission: "rollcall.incidents.view", at });
  const thing = incident.personId === null ? { organisation: true as const } : { personId: incident.personId };
  if (personId === incident.personId || !(await reaches(sql, { reach, thing })))
    throw new AppError("invalid", "assigneeId: must be somebody who may see this incident, and whom it is not about.", {
      field: "assigneeId",
    });
}
