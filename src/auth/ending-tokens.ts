import { recordEvents } from "../audit/record.ts";
import type { Work } from "../db/database.ts";

const TOLD_DAYS_BEFORE = 14;
const DAY_MS = 86_400_000;

/** Records an event for each live token that ends within two weeks and has no successor, once. Returns how many. */
export async function tellEndingTokens(work: Work): Promise<number> {
  const { ctx, sql } = work;
  const now = ctx.now();
  const { rows } = await sql.query<{ id: string; name: string; expires_at: Date }>(
    `select t.id, t.name, t.expires_at from tokens t
     where t.revoked_at is null and t.oauth_client_id is null and t.expires_at > $1 and t.expires_at <= $2
       and not exists (select from tokens n where n.replaces_id = t.id and n.revoked_at is null)
       and not exists (select from audit_events e where e.subject_type = 'token' and e.subject_id = t.id::text and e.name = 'token.ending'
         and e.data ->> 'expires' = to_char(t.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
     order by t.expires_at, t.id`,
    [now, new Date(now.getTime() + TOLD_DAYS_BEFORE * DAY_MS)],
  );
  await recordEvents(
    work,
    rows.map(({ id, name, expires_at: expires }) => ({
      name: "token.ending" as const,
      subjectType: "token",
      subjectId: id,
      reason: `it ends on ${expires.toISOString().slice(0, 10)}; rotate or renew it before`,
      data: { name, expires: expires.toISOString() },
    })),
  );
  return rows.length;
}
