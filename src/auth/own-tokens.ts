import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";

const LIVE = "person_id = $1 and revoked_at is null and (expires_at is null or expires_at > $2)";

/** How many tokens of somebody's own open something now. */
export async function countOwnTokens(sql: Sql, { personId, now }: { personId: string; now: Date }): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(`select count(*)::int as count from tokens where ${LIVE}`, [personId, now]);
  return rows[0]?.count ?? 0;
}

/** Ends all tokens of somebody's own at once, and records it. Returns how many there were. */
export async function endOwnTokens(work: Work, { personId, reason }: { personId: string; reason: string }): Promise<number> {
  const { ctx, sql } = work;
  const { rowCount } = await sql.query(`update tokens set revoked_at = $2, revoked_reason = $3 where ${LIVE}`, [
    personId,
    ctx.now(),
    reason,
  ]);
  const count = rowCount ?? 0;
  if (count > 0) await recordEvent(work, { name: "token.revoked", subjectType: "person", subjectId: personId, reason, data: { count } });
  return count;
}
