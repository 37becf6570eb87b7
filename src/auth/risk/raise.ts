import { randomUUID } from "node:crypto";
import { recordEvent } from "../../audit/record.ts";
import type { Work } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import type { Finding } from "./finding.ts";
import { respond } from "./response.ts";
import { tellOfIncident } from "./tell-of-incident.ts";

export interface RaiseOptions {
  finding: Finding;
  settings: SignInSettings["risk"];
  keyRing: KeyRing;
}

/** `grown`: an incident that is not closed has more evidence; `same`: nothing that was not known. */
export type Raised = { id: string; change: "opened" | "reopened" | "grown" | "same" };

interface Standing {
  id: string;
  state: string;
  closed_at: Date | null;
  last_at: Date;
}

const DAY_MS = 86_400_000;

/**
 * Puts what a detector found into the incident of its kind and subject, in the caller's transaction: into the one that is open, into one
 * that was closed lately and is opened again, or into a new one. What opens is told of, and answered as the settings say.
 */
export async function raiseIncident(work: Work, { finding, settings, keyRing }: RaiseOptions): Promise<Raised> {
  const { ctx, sql } = work;
  const { kind, subject, lastAt } = finding;
  // Two that find the same at once: the second one adds to what the first one made.
  await sql.query("select pg_advisory_xact_lock(hashtextextended($1, 7305021))", [`${kind} ${subject.type} ${subject.id}`]);
  const { rows } = await sql.query<Standing>(
    `select id, state, closed_at, last_at from incidents where kind = $1 and subject_type = $2 and subject_id = $3
       and (closed_at is null or closed_at > $4) order by closed_at desc nulls first limit 1 for update`,
    [kind, subject.type, subject.id, new Date(ctx.now().getTime() - settings.reopenDays * DAY_MS)],
  );
  const [standing] = rows;
  if (standing && lastAt <= (standing.closed_at ?? standing.last_at)) return { id: standing.id, change: "same" };
  const id = standing?.id ?? (await openNew(work, finding));
  await addEvidence(work, { id, finding });
  if (standing && standing.closed_at === null) {
    await sql.query("update incidents set last_at = $2, version = version + 1 where id = $1", [id, lastAt]);
    return { id, change: "grown" };
  }
  if (standing)
    await sql.query(
      `update incidents set state = 'open', outcome = null, closed_at = null, closed_by = null, reopened = reopened + 1, last_at = $2, version = version + 1
       where id = $1`,
      [id, lastAt],
    );
  const change = standing ? "reopened" : "opened";
  await recordEvent(work, { name: `incident.${change}`, subjectType: "incident", subjectId: id, data: { kind, subject: subject.type } });
  await respond(work, { id, finding, settings, keyRing });
  await tellOfIncident(work, { id, change });
  return { id, change };
}

async function openNew({ ctx, sql }: Work, { kind, subject, lastAt }: Finding): Promise<string> {
  const id = randomUUID();
  await sql.query(
    `insert into incidents (id, kind, subject_type, subject_id, person_id, state, opened_at, last_at) values ($1, $2, $3, $4, $5, 'open', $6, $7)`,
    [id, kind, subject.type, subject.id, subject.personId, ctx.now(), lastAt],
  );
  return id;
}

async function addEvidence({ sql }: Work, { id, finding: { firstAt, lastAt, facts } }: { id: string; finding: Finding }): Promise<void> {
  await sql.query(
    `insert into incident_evidence as e (incident_id, hour, first_at, last_at, facts) values ($1, date_trunc('hour', $3::timestamptz, 'UTC'), $2, $3, $4)
     on conflict (incident_id, hour) do update set first_at = least(e.first_at, excluded.first_at), last_at = greatest(e.last_at, excluded.last_at), facts = excluded.facts`,
    [id, firstAt, lastAt, JSON.stringify(facts)],
  );
}
