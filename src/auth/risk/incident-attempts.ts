import type { Sql } from "../../db/database.ts";
import type { AttemptKind, AttemptOutcome } from "./attempts.ts";

export interface AttemptLine {
  id: number;
  at: Date;
  kind: AttemptKind;
  outcome: AttemptOutcome;
  /** Null where nobody is known by what was typed. */
  personId: string | null;
  address: string | null;
  network: string | null;
  /** Tells browsers apart. */
  userAgent: string | null;
  why: string | null;
}

const SUBJECT = `case i.subject_type when 'person' then a.person_id::text = i.subject_id and a.kind <> 'token'
  when 'network' then a.network = i.subject_id and a.kind <> 'token' when 'token' then a.token_id::text = i.subject_id
  else a.kind = 'password' and a.outcome = 'failed' end`;

/** The attempts of an incident's subject from the first that was counted to the last, the last one first; those that are kept still. */
export async function attemptsOfIncident(
  sql: Sql,
  { incidentId, limit, before }: { incidentId: string; limit: number; before?: number | undefined },
): Promise<AttemptLine[]> {
  const { rows } = await sql.query<AttemptLine>(
    `select a.id, a.at, a.kind, a.outcome, a.person_id as "personId", a.address, a.network, a.user_agent_hash as "userAgent", a.why
     from incidents i
       cross join lateral (select min(first_at) as first_at, max(last_at) as last_at from incident_evidence where incident_id = i.id) e
       join sign_in_attempts a on a.at between e.first_at and e.last_at and ${SUBJECT}
     where i.id = $1 and ($2::bigint is null or a.id < $2) order by a.id desc limit $3`,
    [incidentId, before ?? null, limit],
  );
  return rows;
}
