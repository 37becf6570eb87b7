import { recordEvents } from "../audit/record.ts";
import type { Work } from "../db/database.ts";

const END_SESSIONS = `
  with ended as (
    update sessions s set ended_at = $2, ended_reason = $3 where s.connection_id = $1 and s.ended_at is null returning s.person_id
  )
  select person_id, count(*)::int as count from ended group by person_id order by person_id`;

/**
 * Ends what a connection's identity provider has begun: sessions, sign-ins under way over it, and requests that wait for its answer. In
 * the transaction that takes the provider out of use, so that nobody stays in by a word that is believed no more.
 */
export async function endSignIns({ ctx, sql }: Work, { connectionId, reason }: { connectionId: number; reason: string }): Promise<void> {
  const now = ctx.now();
  await sql.query("update sign_ins set ended_at = $2, state = '{}' where connection_id = $1 and ended_at is null", [connectionId, now]);
  await sql.query("delete from saml_requests where connection_id = $1 and kind = 'sign_in'", [connectionId]);
  const { rows } = await sql.query<{ person_id: string; count: number }>(END_SESSIONS, [connectionId, now, reason]);
  await recordEvents(
    { ctx, sql },
    rows.map(({ person_id: subjectId, count }) => ({
      name: "session.ended" as const,
      subjectType: "person",
      subjectId,
      reason,
      data: { count },
    })),
  );
}
