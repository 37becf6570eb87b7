import { recordEvents } from "../../audit/record.ts";
import type { Work } from "../../db/database.ts";

/** Which sessions: one, a person's (but for `except`), or those that an identity provider made. */
export type Ending =
  | { id: string }
  | { personId: string; except?: string | undefined }
  | { connectionId: number; subject?: string | undefined; session?: string | undefined };

/**
 * Ends sessions; their cookies are refused from the next request on. Returns how many were still alive, and whose.
 * Of an identity provider's sessions those of the subject, of the session there, or of both together.
 */
export async function endSessions(
  work: Work,
  { reason, ...which }: Ending & { reason: string },
): Promise<{ count: number; personIds: string[] }> {
  const { ctx, sql } = work;
  const [condition, ...values] = conditionOf(which);
  const { rows } = await sql.query<{ person_id: string; count: number }>(
    `with ended as (
       update sessions s set ended_at = $1, ended_reason = $2 where s.ended_at is null and ${condition} returning s.person_id
     ) select person_id, count(*)::int as count from ended group by person_id order by person_id`,
    [ctx.now(), reason, ...values],
  );
  await recordEvents(
    work,
    rows.map(({ person_id, count }) => ({
      name: "session.ended" as const,
      subjectType: "person",
      subjectId: person_id,
      reason,
      data: { count },
    })),
  );
  return { count: rows.reduce((sum, { count }) => sum + count, 0), personIds: rows.map(({ person_id }) => person_id) };
}

function conditionOf(which: Ending): [string, ...unknown[]] {
  if ("id" in which) return ["s.id = $3", which.id];
  if ("personId" in which) return ["s.person_id = $3 and s.id is distinct from $4::uuid", which.personId, which.except ?? null];
  const { connectionId, subject, session } = which;
  if (subject === undefined && session === undefined) return ["false and $3::int is null", connectionId];
  return [
    `s.connection_id = $3 and ($4::text is null or s.federation_subject = $4) and ($5::text is null or s.federation_session = $5)`,
    connectionId,
    subject ?? null,
    session ?? null,
  ];
}
