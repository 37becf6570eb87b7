import { randomUUID } from "node:crypto";
import { recordEvent } from "../../audit/record.ts";
import type { Work } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import type { IncidentKind, SubjectType } from "./finding.ts";
import type { IncidentOutcome, IncidentState } from "./incident-list.ts";
import { liftResponse } from "./response.ts";
import { tellOfIncident } from "./tell-of-incident.ts";

/** An incident as whoever changes it finds it. */
export interface StandingIncident {
  id: string;
  kind: IncidentKind;
  subjectType: SubjectType;
  personId: string | null;
  state: IncidentState;
  response: string | null;
  assigneeId: string | null;
  version: number;
}

/** Reads an incident and keeps others from changing it until the transaction ends. Throws `not_found`. */
export async function lockIncident({ sql }: Work, id: string): Promise<StandingIncident> {
  const { rows } = await sql.query<StandingIncident>(
    `select id, kind, subject_type as "subjectType", person_id as "personId", state, response, assignee_id as "assigneeId", version
     from incidents where id = $1 for update`,
    [id],
  );
  const [incident] = rows;
  if (!incident) throw new AppError("not_found", `There is no incident ${id}.`, { field: "incident" });
  return incident;
}

const closedAlready = () => new AppError("conflict", "The incident is closed: open it again first.", { field: "state" });

/** Says who looks into it, and whether somebody does. What is not named stays. Throws `conflict` when it is closed. */
export async function changeIncident(
  work: Work,
  {
    incident,
    assigneeId,
    state,
  }: { incident: StandingIncident; assigneeId?: string | null | undefined; state?: "open" | "investigating" | undefined },
): Promise<void> {
  if (incident.state === "closed") throw closedAlready();
  const next = { assigneeId: assigneeId === undefined ? incident.assigneeId : assigneeId, state: state ?? incident.state };
  const changed = [...(next.assigneeId === incident.assigneeId ? [] : ["assignee"]), ...(next.state === incident.state ? [] : ["state"])];
  if (changed.length === 0) return;
  await work.sql.query("update incidents set assignee_id = $2, state = $3, version = version + 1 where id = $1", [
    incident.id,
    next.assigneeId,
    next.state,
  ]);
  await recordEvent(work, {
    name: "incident.changed",
    subjectType: "incident",
    subjectId: incident.id,
    data: { kind: incident.kind, changed },
  });
}

/** Writes something down about it, whatever its state. */
export async function addNote(work: Work, { incident, text }: { incident: StandingIncident; text: string }): Promise<void> {
  await work.sql.query("insert into incident_notes (id, incident_id, at, author, text) values ($1, $2, $3, $4, $5)", [
    randomUUID(),
    incident.id,
    work.ctx.now(),
    work.ctx.actor,
    text,
  ]);
  await work.sql.query("update incidents set version = version + 1 where id = $1", [incident.id]);
  await recordEvent(work, {
    name: "incident.changed",
    subjectType: "incident",
    subjectId: incident.id,
    data: { kind: incident.kind, changed: ["notes"] },
  });
}

/** Closes it and lifts the suspension that it made. Throws `conflict` when it is closed. */
export async function closeIncident(
  work: Work,
  { incident, outcome, reason }: { incident: StandingIncident; outcome: IncidentOutcome; reason: string },
): Promise<void> {
  if (incident.state === "closed") throw closedAlready();
  const { ctx, sql } = work;
  const { id, kind, personId, response } = incident;
  await sql.query(
    "update incidents set state = 'closed', outcome = $2, closed_at = $3, closed_by = $4, version = version + 1 where id = $1",
    [id, outcome, ctx.now(), ctx.actor],
  );
  await recordEvent(work, { name: "incident.closed", subjectType: "incident", subjectId: id, reason, data: { kind, outcome } });
  if (response === "suspended" && personId !== null) await liftResponse(work, { id, personId });
  await tellOfIncident(work, { id, change: "closed" });
}

/**
 * Opens it again by hand. A suspension that its closing lifted is not made again: that is decided on the person. Throws `conflict` when
 * it is open, or another one of its kind and subject is.
 */
export async function reopenIncident(work: Work, { incident, reason }: { incident: StandingIncident; reason: string }): Promise<void> {
  const { id, kind, subjectType, state } = incident;
  if (state !== "closed") throw new AppError("conflict", "The incident is open.", { field: "state" });
  const { rowCount } = await work.sql.query(
    `update incidents i set state = 'open', outcome = null, closed_at = null, closed_by = null, response = null, reopened = reopened + 1, version = version + 1
     where id = $1 and not exists (select from incidents o where o.kind = i.kind and o.subject_type = i.subject_type and o.subject_id = i.subject_id and o.state <> 'closed')`,
    [id],
  );
  if (rowCount === 0)
    throw new AppError("conflict", "Another incident of the same kind and subject is open: go on with that one.", { field: "state" });
  await recordEvent(work, {
    name: "incident.reopened",
    subjectType: "incident",
    subjectId: id,
    reason,
    data: { kind, subject: subjectType },
  });
  await tellOfIncident(work, { id, change: "reopened" });
}
