import { randomUUID } from "node:crypto";
import type { Work } from "../../db/database.ts";
import { enqueue } from "../../db/queue.ts";

export type IncidentChange = "opened" | "reopened" | "closed";

/** Has the operator's system told, in the caller's transaction: by ids, never by what somebody is called or by an address. */
export async function tellOfIncident({ ctx, sql }: Work, { id, change }: { id: string; change: IncidentChange }): Promise<void> {
  const { rows } = await sql.query<Record<string, unknown>>(
    `select id, kind, state, outcome, person_id as "personId", case when subject_type in ('person', 'token') then subject_id end as "subjectId",
       subject_type as "subjectType", response, reopened from incidents where id = $1`,
    [id],
  );
  await enqueue(sql, {
    job: "send_webhook",
    payload: { id: randomUUID(), event: `incident.${change}`, at: ctx.now().toISOString(), body: rows[0] ?? { id } },
  });
}
