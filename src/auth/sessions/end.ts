import { recordEvents } from "../../audit/record.ts";
import type { Work } from "../../db/database.ts";
import type { SignInMethod } from "./session.ts";

/**
 * Which sessions: one, a person's (but for `except`, and for the sign-in `exceptSignIn`), of those only what was proven by one of the
 * methods, or those that an identity provider made.
 */
export type Ending =
  | { id: string }
  | { personId: string; provenBy: readonly SignInMethod[]; except?: string | undefined }
  | { personId: string; except?: string | undefined; exceptSignIn?: string | undefined }
  | { connectionId: number; subject?: string | undefined; session?: string | undefined };

/**
 * Ends sessions; their cookies are refused from the next request on. So does every sign-in under way that would become such a session,
 * or that proves its person again in one. Returns how many sessions were still alive, and whose.
 * Of an identity provider's sessions those of the subject, of the session there, or of both together; then also the subject's of which no
 * session there is known.
 */
export async function endSessions(
  work: Work,
  { reason, ...which }: Ending & { reason: string },
): Promise<{ count: number; personIds: string[] }> {
  const { ctx, sql } = work;
  const [condition, ...values] = conditionOf(which);
  const [underWay, ...signIns] = signInsOf(which);
  await sql.query(`update sign_ins s set ended_at = $1, state = '{}' where s.ended_at is null and ${underWay}`, [ctx.now(), ...signIns]);
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
  if ("provenBy" in which)
    return [
      "s.person_id = $3 and s.id is distinct from $4::uuid and s.methods && $5::text[]",
      which.personId,
      which.except ?? null,
      which.provenBy,
    ];
  if ("personId" in which) return ["s.person_id = $3 and s.id is distinct from $4::uuid", which.personId, which.except ?? null];
  return [byProvider(which, 3), ...providerValues(which)];
}

function signInsOf(which: Ending): [string, ...unknown[]] {
  if ("id" in which) return ["s.session_id = $2", which.id];
  // Those that wait for their next step, too: what is asked of them next has changed.
  if ("provenBy" in which) return ["s.person_id = $2", which.personId];
  if ("personId" in which) return ["s.person_id = $2 and s.id is distinct from $3::uuid", which.personId, which.exceptSignIn ?? null];
  return [byProvider(which, 2), ...providerValues(which)];
}

type OfProvider = Extract<Ending, { connectionId: number }>;

/** To which session there one of ours belongs is not known where the provider never said it: it ends with any of the subject's. */
function byProvider({ subject, session }: OfProvider, from: number): string {
  const all = `s.connection_id = $${from} and ($${from + 1}::text is null or s.federation_subject = $${from + 1})
    and ($${from + 2}::text is null or s.federation_session = $${from + 2} or (s.federation_session is null and $${from + 1}::text is not null))`;
  return subject === undefined && session === undefined ? `false and ${all}` : all;
}

function providerValues({ connectionId, subject, session }: OfProvider): unknown[] {
  return [connectionId, subject ?? null, session ?? null];
}
