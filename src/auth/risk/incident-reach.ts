import { OUT_OF_REACH, personBehind, reaches, type Caller, type Reach } from "../../access/policy.ts";
import type { Sql } from "../../db/database.ts";
import { AppError } from "../../errors.ts";

export interface IncidentQuestion {
  id: string;
  view: Reach;
  /** Where the caller may change incidents; absent when it is only to be read. */
  edit?: Reach;
  caller: Caller;
}

/**
 * Refuses an incident that the caller may not see, or change. One about a person goes by that person's units, others by the organisation.
 * Nobody changes one about themselves. Throws `not_found`, `forbidden`.
 */
export async function requireIncident(sql: Sql, { id, view, edit, caller }: IncidentQuestion): Promise<void> {
  const { rows } = await sql.query<{ personId: string | null }>(`select person_id as "personId" from incidents where id = $1`, [id]);
  const [incident] = rows;
  const thing = incident?.personId ? { personId: incident.personId } : { organisation: true as const };
  if (!incident || !(await reaches(sql, { reach: view, thing })))
    throw new AppError("not_found", `There is no incident ${id}.`, { field: "incident", cause: OUT_OF_REACH });
  if (edit === undefined) return;
  if (!(await reaches(sql, { reach: edit, thing })))
    throw new AppError("forbidden", `This needs the permission ${edit.permission} here.`, { field: edit.permission });
  if (incident.personId !== null && incident.personId === personBehind(caller))
    throw new AppError("forbidden", "The incident is about you: somebody else has to look into it.", { field: "incident" });
}
