import type { Sql } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import { reachedPeople, type Reach } from "../../access/policy.ts";
import type { Facts, IncidentKind, SubjectType } from "./finding.ts";

export type IncidentState = "open" | "investigating" | "closed";
export type IncidentOutcome = "resolved" | "false_alarm";

interface Somebody {
  id: string;
  userName: string;
  displayName: string | null;
}

export interface IncidentLine {
  id: string;
  kind: IncidentKind;
  subjectType: SubjectType;
  /** A person's or token's id, or a network. */
  subjectId: string;
  person: Somebody | null;
  state: IncidentState;
  outcome: IncidentOutcome | null;
  assignee: Somebody | null;
  /** What was done at once; a suspension lasts until the incident is closed. */
  response: "suspended" | "sessions_ended" | null;
  openedAt: Date;
  lastAt: Date;
  /** How often it happened again after it was closed. */
  reopened: number;
  closedAt: Date | null;
  closedBy: string | null;
  version: number;
}

const somebody = (alias: string) =>
  `case when ${alias}.id is not null then json_build_object('id', ${alias}.id, 'userName', ${alias}.user_name, 'displayName', ${alias}.display_name) end`;
const LINE = `
  select i.id, i.kind, i.subject_type as "subjectType", i.subject_id as "subjectId", ${somebody("p")} as person, i.state, i.outcome,
    ${somebody("who")} as assignee, i.response, i.opened_at as "openedAt", i.last_at as "lastAt", i.reopened, i.closed_at as "closedAt",
    i.closed_by as "closedBy", i.version
  from incidents i left join people p on p.id = i.person_id left join people who on who.id = i.assignee_id`;

export interface IncidentFilter {
  state?: IncidentState | undefined;
  kind?: IncidentKind | undefined;
  personId?: string | undefined;
  assigneeId?: string | undefined;
}

export interface IncidentListOptions extends IncidentFilter {
  reach: Reach;
  limit: number;
  /** When the last one of the page before was last seen, and its id. */
  after?: readonly [string, string] | undefined;
}

/** Incidents in reach, the one that was seen last first. Those about nobody are the organisation's. */
export async function listIncidents(
  sql: Sql,
  { reach, limit, after, state, kind, personId, assigneeId }: IncidentListOptions,
): Promise<IncidentLine[]> {
  const people = reachedPeople(reach, { person: "p", from: 9 });
  const { rows } = await sql.query<IncidentLine>(
    `${LINE} where ($1::text is null or i.state = $1) and ($2::text is null or i.kind = $2) and ($3::uuid is null or i.person_id = $3)
       and ($4::uuid is null or i.assignee_id = $4) and ($5::timestamptz is null or (i.last_at, i.id) < ($5, $6::uuid))
       and ((i.person_id is null and $7) or (p.id is not null and ${people.text}))
     order by i.last_at desc, i.id desc limit $8`,
    [
      state ?? null,
      kind ?? null,
      personId ?? null,
      assigneeId ?? null,
      after?.[0] ?? null,
      after?.[1] ?? null,
      reach.organisation,
      limit,
      ...people.values,
    ],
  );
  return rows;
}

/** Throws `not_found`. */
export async function readIncident(sql: Sql, id: string): Promise<IncidentLine> {
  const { rows } = await sql.query<IncidentLine>(`${LINE} where i.id = $1`, [id]);
  const [incident] = rows;
  if (!incident) throw new AppError("not_found", `There is no incident ${id}.`, { field: "incident" });
  return incident;
}

export interface IncidentNote {
  id: string;
  at: Date;
  author: string;
  text: string;
}

export interface EvidenceLine {
  firstAt: Date;
  lastAt: Date;
  facts: Facts;
}

const MOST_NOTES = 500;
const MOST_HOURS = 200;

/** What was written about an incident, the oldest first. */
export async function notesOf(sql: Sql, incidentId: string): Promise<IncidentNote[]> {
  const { rows } = await sql.query<IncidentNote>(
    `select id, at, author, text from incident_notes where incident_id = $1 order by at, id limit ${MOST_NOTES}`,
    [incidentId],
  );
  return rows;
}

/** What was counted, a line for each hour, the last one first. */
export async function evidenceOf(sql: Sql, incidentId: string): Promise<EvidenceLine[]> {
  const { rows } = await sql.query<EvidenceLine>(
    `select first_at as "firstAt", last_at as "lastAt", facts from incident_evidence where incident_id = $1 order by hour desc limit ${MOST_HOURS}`,
    [incidentId],
  );
  return rows;
}
